// Captured graphs: replayed in any order that what was captured allows.
#include "emulation/runtime_fixture.h"

namespace emulation {
namespace {

TEST_F(Runtime, GraphReplaysWithTheInputsOfTheDay) {
  for (const Schedule& by : every_schedule()) {
    SCOPED_TRACE(name_of(by));
    set_schedule(by);
    const cudaStream_t s = stream(), side = stream();
    float *x = device(), *y = device(), *z = device(), *in = pinned(), *out = pinned();
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
    OK(cudaMemcpyAsync(x, in, kBytes, cudaMemcpyHostToDevice, s));
    order(s, side);
    copy(y, x, side);  // beside ...
    copy(z, x, s);     // ... this
    order(side, s);
    add(z, y, s);
    OK(cudaMemcpyAsync(out, z, kBytes, cudaMemcpyDeviceToHost, s));
    OK(cudaStreamEndCapture(s, &graph));
    size_t nodes = 0;
    OK(cudaGraphGetNodes(graph, nullptr, &nodes));
    EXPECT_EQ(nodes, 5u);
    OK(cudaGraphInstantiate(&executable, graph, 0));
    OK(cudaGraphDestroy(graph));
    const RuntimeCounts before = runtime_counts();
    for (int i = 0; i < 10; ++i) {
      std::fill_n(in, kSize, static_cast<float>(i));
      OK(cudaGraphLaunch(executable, s));
      OK(cudaStreamSynchronize(s));
      EXPECT_EQ(out[kSize - 1], static_cast<float>(2 * i));
    }
    const RuntimeCounts after = runtime_counts();
    EXPECT_EQ(after.graph_launches - before.graph_launches, 10);
    EXPECT_EQ(after.launches - before.launches, 30);
    EXPECT_EQ(after.copies - before.copies, 20);
    EXPECT_EQ(after.host_synchronisations - before.host_synchronisations, 10);
    EXPECT_EQ(after.allocations, before.allocations);
    OK(cudaGraphExecDestroy(executable));
  }
}

TEST_F(Runtime, GraphFollowsWhatItsStreamWasGivenBefore) {
  const cudaStream_t s = stream();
  float *x = device(), *y = device();
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
  copy(y, x, s);
  OK(cudaStreamEndCapture(s, &graph));
  OK(cudaGraphInstantiate(&executable, graph, 0));
  fill(x, 1, s);
  OK(cudaGraphLaunch(executable, s));
  OK(cudaStreamSynchronize(s));
  EXPECT_EQ(peek(y), 1);
  OK(cudaGraphExecDestroy(executable));
  OK(cudaGraphDestroy(graph));
}

TEST_F(Runtime, LaunchesOfOneGraphNeverOverlap) {
  const cudaStream_t s = stream(), other = stream();
  float *x = device(), *one = device();
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  fill(x, 0, s);
  fill(one, 1, s);
  OK(cudaStreamSynchronize(s));
  OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
  add(x, one, s);
  OK(cudaStreamEndCapture(s, &graph));
  OK(cudaGraphInstantiate(&executable, graph, 0));
  OK(cudaGraphLaunch(executable, other));
  OK(cudaGraphLaunch(executable, s));
  OK(cudaGraphExecDestroy(executable));  // what was launched still runs
  OK(cudaGraphDestroy(graph));
  OK(cudaStreamSynchronize(s));
  EXPECT_EQ(peek(x), 2);
}

TEST_F(Runtime, WorkOfAnUnjoinedStreamEndsTheCapture) {
  const cudaStream_t s = stream(), side = stream();
  float* x = device();
  cudaGraph_t graph = nullptr;
  cudaStreamCaptureStatus status;
  OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
  order(s, side);
  OK(cudaStreamIsCapturing(side, &status));
  EXPECT_EQ(status, cudaStreamCaptureStatusActive);
  fill(x, 1, side);
  EXPECT_EQ(cudaStreamEndCapture(side, &graph), cudaErrorStreamCaptureUnmatched);
  EXPECT_EQ(cudaStreamEndCapture(s, &graph), cudaErrorStreamCaptureUnjoined);
  EXPECT_EQ(graph, nullptr);
  OK(cudaStreamIsCapturing(side, &status));
  EXPECT_EQ(status, cudaStreamCaptureStatusNone);
}

TEST_F(Runtime, CallsThatCannotBeCapturedEndTheCapture) {
  float* x = device();
  const cudaStream_t outside = stream();
  const cudaEvent_t mark = event();
  void* data = nullptr;
  const std::vector<float> host(kSize);
  const auto during_capture = [&](auto body, cudaError_t expected) {
    const cudaStream_t s = stream(cudaStreamDefault);
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal), cudaSuccess);
    EXPECT_EQ(body(s), expected);
    EXPECT_EQ(cudaStreamEndCapture(s, &graph), cudaErrorStreamCaptureInvalidated);
  };
  during_capture([&](cudaStream_t) { return cudaMalloc(&data, 4); }, cudaErrorStreamCaptureUnsupported);
  during_capture([&](cudaStream_t) { return cudaMallocHost(&data, 4); }, cudaErrorStreamCaptureUnsupported);
  during_capture([&](cudaStream_t) { return cudaDeviceSynchronize(); }, cudaErrorStreamCaptureUnsupported);
  during_capture([&](cudaStream_t s) { return cudaStreamSynchronize(s); }, cudaErrorStreamCaptureUnsupported);
  during_capture([&](cudaStream_t) { return cudaMemcpy(x, host.data(), 4, cudaMemcpyHostToDevice); },
                 cudaErrorStreamCaptureUnsupported);
  during_capture([&](cudaStream_t) { return cudaMemsetAsync(x, 0, 4, nullptr); },
                 cudaErrorStreamCaptureImplicit);
  OK(cudaEventRecord(mark, outside));
  during_capture([&](cudaStream_t s) { return cudaStreamWaitEvent(s, mark); },
                 cudaErrorStreamCaptureIsolation);
}

TEST_F(Runtime, EventOfACaptureStandsForNothingOutsideOfIt) {
  const cudaStream_t s = stream(), other = stream();
  const cudaEvent_t mark = event();
  cudaGraph_t graph = nullptr;
  OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeRelaxed));
  OK(cudaEventRecord(mark, s));
  EXPECT_EQ(cudaEventSynchronize(mark), cudaErrorCapturedEvent);
  OK(cudaStreamEndCapture(s, &graph));
  EXPECT_EQ(cudaStreamWaitEvent(other, mark), cudaErrorCapturedEvent);
  OK(cudaEventRecord(mark, s));
  OK(cudaEventSynchronize(mark));
  OK(cudaGraphDestroy(graph));
}

}  // namespace
}  // namespace emulation

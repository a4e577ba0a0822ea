// Work on the same memory that has no order is a fault, whichever schedule ran it.
#include "emulation/runtime_fixture.h"

namespace emulation {
namespace {

constexpr size_t kLarge = 3 * 4096;  // bytes: more than a page

// A library's work, whose accesses are known by the byte.
void reads(const void* data, size_t bytes, cudaStream_t s) {
  ASSERT_EQ(enqueue_library_call(s, {"reader", {{data, bytes}}, {}, [] {}}), cudaSuccess);
}
void writes(const void* data, size_t bytes, cudaStream_t s) {
  ASSERT_EQ(enqueue_library_call(s, {"writer", {}, {{data, bytes}}, [] {}}), cudaSuccess);
}

TEST_F(Runtime, AMissingWaitIsAFaultOfBothUnderEverySchedule) {
  for (const Schedule& by : every_schedule())
    for (const bool waits : {false, true}) {
      SCOPED_TRACE(name_of(by));
      set_schedule(by);
      const cudaStream_t one = stream(), other = stream();
      float *x = device(), *y = device();
      OK(cudaMemset(x, 0, kBytes));
      OK(cudaDeviceSynchronize());
      const auto judged = [&](const std::string& first, const std::string& second) {
        EXPECT_EQ(cudaDeviceSynchronize(), waits ? cudaSuccess : cudaErrorLaunchFailure);
        if (!waits) {
          EXPECT_TRUE(race_between(first, second));
        }
      };
      writes(x, kBytes, one);
      if (waits) order(one, other);
      reads(x, kBytes, other);
      judged("writer", "reader reads");
      reads(x, kBytes, one);
      if (waits) order(one, other);
      OK(cudaMemsetAsync(x, 0, kBytes, other));
      judged("reader", "cudaMemsetAsync of 20 bytes writes");
      writes(x, kBytes, one);
      if (waits) order(one, other);
      OK(cudaMemcpyAsync(y, x, kBytes, cudaMemcpyDeviceToDevice, other));
      if (!waits) {
        judged("writer", "cudaMemcpyAsync of 20 bytes reads");
        continue;
      }
      writes(x, kBytes, other);
      OK(cudaDeviceSynchronize());
    }
}

TEST_F(Runtime, SoItIsForKernels) {
  if (!kSeesKernels) GTEST_SKIP() << "AddressSanitizer watches memory in the place of pages";
  for (const Schedule& by : every_schedule())
    for (const bool waits : {false, true}) {
      SCOPED_TRACE(name_of(by));
      set_schedule(by);
      const cudaStream_t one = stream(), other = stream();
      float *x = device(), *y = device(), *z = device();
      fill(x, 0, one);
      OK(cudaDeviceSynchronize());
      fill(x, 1, one);
      if (waits) order(one, other);
      copy(y, x, other);
      copy(z, x, one);
      if (!waits) {
        EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
        EXPECT_TRUE(race_between("kernel fill_kernel writes", "kernel copy_kernel reads"));
        continue;
      }
      order(other, one);
      fill(x, 2, one);
      OK(cudaDeviceSynchronize());
      EXPECT_EQ(peek(y), 1);
      EXPECT_EQ(peek(x), 2);
    }
}

TEST_F(Runtime, OtherBytesAndReadsOfTheSameNeedNoOrder) {
  const cudaStream_t one = stream(), other = stream();
  float* x = device();
  writes(x, kBytes, one);
  OK(cudaStreamSynchronize(one));
  reads(x, kBytes, one);
  reads(x, kBytes, other);
  OK(cudaDeviceSynchronize());
  writes(x, 8, one);
  writes(x + 2, 12, other);
  OK(cudaDeviceSynchronize());
  writes(x, 8, one);
  writes(reinterpret_cast<std::byte*>(x) + 7, 13, other);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
  EXPECT_TRUE(one_fault("bytes 7 to 8 of device buffer"));
}

// The one that ran last is ordered with the last reader, and not with the one before it.
TEST_F(Runtime, EveryReaderCounts) {
  const cudaStream_t one = stream(), two = stream(), other = stream();
  float* x = device();
  writes(x, kBytes, one);
  order(one, two);
  order(one, other);
  reads(x, kBytes, one);
  reads(x, kBytes, two);
  order(two, other);
  writes(x, kBytes, other);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
  EXPECT_TRUE(race_between("reader", "writer"));
}

TEST_F(Runtime, OrderIsHandedOnThroughEventsOfThreeStreams) {
  for (const Schedule& by : every_schedule()) {
    SCOPED_TRACE(name_of(by));
    set_schedule(by);
    const cudaStream_t a = stream(), b = stream(), c = stream();
    float* x = device();
    for (int i = 0; i < 3; ++i) {
      writes(x, kBytes, a);
      order(a, b);
      order(b, c);
      reads(x, kBytes, c);
      order(c, a);
    }
    OK(cudaDeviceSynchronize());
  }
}

// Reverse runs everything at the first wait: the host knows no more for it.
TEST_F(Runtime, TheHostKnowsWhatItWaitedForAndNoMore) {
  set_schedule({Schedule::Order::Reverse});
  const cudaStream_t waited = stream(), other = stream();
  const cudaEvent_t mark = event();
  float *x = device(), *y = device();
  writes(x, kBytes, waited);
  writes(y, kBytes, other);
  OK(cudaEventRecord(mark, waited));
  OK(cudaEventSynchronize(mark));
  reads(x, kBytes, other);
  OK(cudaStreamSynchronize(other));
  writes(x, kBytes, waited);
  OK(cudaStreamSynchronize(other));
  reads(x, kBytes, other);
  EXPECT_EQ(cudaStreamSynchronize(other), cudaErrorLaunchFailure);
  EXPECT_TRUE(race_between("writer", "reader"));
}

TEST_F(Runtime, WhoAsksUntilItIsDoneHasWaited) {
  const cudaStream_t asked = stream(), other = stream();
  float* x = device();
  writes(x, kBytes, asked);
  while (cudaStreamQuery(asked) == cudaErrorNotReady) {
  }
  reads(x, kBytes, other);
  OK(cudaStreamSynchronize(other));
}

TEST_F(Runtime, CapturedForkThatComesTooEarlyIsAFault) {
  for (const bool too_early : {true, false}) {
    const cudaStream_t s = stream(), side = stream();
    float* x = device();
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    OK(cudaMemset(x, 0, kBytes));
    OK(cudaDeviceSynchronize());
    OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
    if (too_early) order(s, side);
    writes(x, kBytes, s);
    if (!too_early) order(s, side);
    reads(x, kBytes, side);
    order(side, s);
    OK(cudaStreamEndCapture(s, &graph));
    OK(cudaGraphInstantiate(&executable, graph, 0));
    OK(cudaGraphLaunch(executable, s));
    EXPECT_EQ(cudaStreamSynchronize(s), too_early ? cudaErrorLaunchFailure : cudaSuccess);
    if (too_early) {
      EXPECT_TRUE(race_between("reader", "writer"));
    }
    OK(cudaGraphExecDestroy(executable));
    OK(cudaGraphDestroy(graph));
  }
}

TEST_F(Runtime, LaunchesOfTwoGraphsOnTheSameMemoryNeedAnOrder) {
  const cudaStream_t one = stream(), other = stream();
  float* x = device();
  cudaGraphExec_t executables[2];
  for (cudaGraphExec_t& executable : executables) {
    cudaGraph_t graph = nullptr;
    OK(cudaStreamBeginCapture(one, cudaStreamCaptureModeGlobal));
    writes(x, kBytes, one);
    OK(cudaStreamEndCapture(one, &graph));
    OK(cudaGraphInstantiate(&executable, graph, 0));
    OK(cudaGraphDestroy(graph));
  }
  OK(cudaGraphLaunch(executables[0], one));
  order(one, other);
  OK(cudaGraphLaunch(executables[1], other));
  OK(cudaDeviceSynchronize());
  OK(cudaGraphLaunch(executables[0], one));
  OK(cudaGraphLaunch(executables[1], other));
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
  EXPECT_TRUE(race_between("writer writes", "writer"));
  for (cudaGraphExec_t executable : executables) OK(cudaGraphExecDestroy(executable));
}

TEST_F(Runtime, ReadingWhatNothingHasWrittenIsAFault) {
  if (!kSeesKernels) GTEST_SKIP() << "what kernels write is not seen";
  const cudaStream_t s = stream();
  float* x = device(kLarge / sizeof(float));
  std::byte* const bytes = reinterpret_cast<std::byte*>(x);
  writes(bytes, 100, s);
  reads(bytes, 100, s);
  OK(cudaStreamSynchronize(s));
  reads(bytes + 100, 20, s);
  EXPECT_EQ(cudaStreamSynchronize(s), cudaErrorLaunchFailure);
  EXPECT_TRUE(one_fault("reader reads what nothing has written: bytes 100 to 120 of device buffer"));
  writes(bytes + 100, 20, stream());
  reads(bytes + 100, 20, s);
  EXPECT_EQ(cudaStreamSynchronize(s), cudaErrorLaunchFailure);
  EXPECT_TRUE(one_fault("reader reads what writer has yet to write, and does not wait for it"));
  EXPECT_TRUE(std::isnan(peek(device())));  // the host may look
  float* y = device();
  copy(y, x + kLarge / sizeof(float) - kSize, s);
  EXPECT_EQ(cudaStreamSynchronize(s), cudaErrorLaunchFailure);
  EXPECT_TRUE(one_fault("kernel copy_kernel reads what nothing has written"));
}

TEST_F(Runtime, MemoryThatIsGivenOutAgainHasNoPast) {
  set_schedule({Schedule::Order::Reverse});
  const cudaStream_t s = stream(), other = stream();
  void* x = nullptr;
  OK(cudaMallocHost(&x, kBytes));
  reads(x, kBytes, s);
  OK(cudaStreamSynchronize(s));
  OK(cudaFreeHost(x));
  OK(cudaMallocHost(&x, kBytes));
  writes(x, kBytes, other);
  OK(cudaStreamSynchronize(other));
  writes(x, kBytes, other);
  OK(cudaStreamSynchronize(s));  // runs it, but did not wait for it
  EXPECT_EQ(cudaFreeHost(x), cudaErrorLaunchFailure);
  EXPECT_TRUE(one_fault("is released before writer, which needs it, is waited for"));
}

}  // namespace
}  // namespace emulation

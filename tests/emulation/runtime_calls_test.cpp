// Host functions, library calls, and who is told of them.
#include "emulation/runtime_fixture.h"

namespace emulation {
namespace {

TEST_F(Runtime, HostFunctionRunsInItsPlaceAndMayNotCallTheRuntime) {
  struct Seen {
    float* host;
    float value = -1;
    cudaError_t error = cudaSuccess;
  } seen{pinned()};
  const cudaStream_t s = stream();
  float* x = device();
  fill(x, 1, s);
  OK(cudaMemcpyAsync(seen.host, x, kBytes, cudaMemcpyDeviceToHost, s));
  OK(cudaLaunchHostFunc(
      s,
      [](void* data) {
        auto& now = *static_cast<Seen*>(data);
        now.value = now.host[0];
        now.error = cudaDeviceSynchronize();
      },
      &seen));
  EXPECT_EQ(seen.value, -1);
  OK(cudaStreamSynchronize(s));
  EXPECT_EQ(seen.value, 1);
  EXPECT_EQ(seen.error, cudaErrorNotPermitted);
}

TEST_F(Runtime, LibraryCallIsOrderedAndCapturedLikeAKernel) {
  const cudaStream_t s = stream();
  float *x = device(), *y = device();
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
  fill(x, 3, s);
  OK(enqueue_library_call(s, {"twice", {{x, kBytes}}, {{y, kBytes}}, [x, y] {
                                for (int i = 0; i < kSize; ++i) y[i] = 2 * x[i];
                              }}));
  add(x, y, s);
  OK(cudaStreamEndCapture(s, &graph));
  OK(cudaGraphInstantiate(&executable, graph, 0));
  const int64_t before = runtime_counts().library_calls;
  OK(cudaGraphLaunch(executable, s));
  OK(cudaStreamSynchronize(s));
  EXPECT_EQ(runtime_counts().library_calls, before + 1);
  EXPECT_EQ(peek(x), 9);
  OK(cudaGraphExecDestroy(executable));
  OK(cudaGraphDestroy(graph));
}

TEST_F(Runtime, ObserverIsToldOfMemoryAndOfWhatTouchesIt) {
  struct Diary : Observer {
    std::vector<std::string> lines;
    const void* buffer = nullptr;
    void allocated(const void*, size_t bytes, Space space, int device) override {
      lines.push_back((space == Space::Device ? "device " : "pinned ") + std::to_string(bytes) + " on " +
                      std::to_string(device));
    }
    void freed(const void* address) override {
      lines.push_back(address == buffer ? "freed" : "freed another");
    }
    void written(const void* address, size_t bytes) override { note("written", address, bytes); }
    void read(const void* address, size_t bytes) override { note("read", address, bytes); }
    void note(const std::string& what, const void* address, size_t bytes) {
      const auto offset = static_cast<const char*>(address) - static_cast<const char*>(buffer);
      lines.push_back(what + " " + std::to_string(offset) + "+" + std::to_string(bytes));
    }
  } diary;
  Observer* const before = observer();
  set_observer(&diary);
  void* x = nullptr;
  OK(cudaMalloc(&x, 12));
  diary.buffer = x;
  const std::vector<std::byte> host(12);
  std::vector<std::byte> back(4);
  OK(cudaMemcpy(x, host.data(), 12, cudaMemcpyHostToDevice));
  OK(cudaMemset(static_cast<std::byte*>(x) + 8, 0, 4));
  OK(cudaMemcpy(back.data(), static_cast<std::byte*>(x) + 4, 4, cudaMemcpyDeviceToHost));
  OK(cudaFree(x));
  set_observer(before);
  EXPECT_EQ(diary.lines,
            (std::vector<std::string>{"device 12 on 0", "written 0+12", "written 8+4", "read 4+4", "freed"}));
}

TEST_F(Runtime, PointersKnowTheirPlace) {
  cudaPointerAttributes attributes;
  float* x = device();
  OK(cudaPointerGetAttributes(&attributes, x + 1));
  EXPECT_EQ(attributes.type, cudaMemoryTypeDevice);
  EXPECT_EQ(attributes.hostPointer, nullptr);
  OK(cudaPointerGetAttributes(&attributes, pinned()));
  EXPECT_EQ(attributes.type, cudaMemoryTypeHost);
  OK(cudaPointerGetAttributes(&attributes, &attributes));
  EXPECT_EQ(attributes.type, cudaMemoryTypeUnregistered);
}

}  // namespace
}  // namespace emulation

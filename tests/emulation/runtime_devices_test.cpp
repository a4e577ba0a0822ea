// Errors that last, memory that runs out, and machines of several devices or none.
#include "emulation/runtime_fixture.h"

namespace emulation {
namespace {

TEST_F(Runtime, DeviceInErrorAnswersEveryCallWithIt) {
  float *x = device(), *y = device();
  const cudaStream_t s = stream();
  EXPECT_EQ(enqueue_library_call(s, {"bad library", {{y, kBytes + 1}}, {}, [] { FAIL() << "must not run"; }}),
            cudaSuccess);
  fill(x, 1, s);
  const int64_t before = runtime_counts().launches;
  EXPECT_EQ(cudaStreamSynchronize(s), cudaErrorLaunchFailure);
  EXPECT_EQ(runtime_counts().launches, before);  // what came after the fault is lost
  void* more = nullptr;
  EXPECT_EQ(cudaMalloc(&more, 4), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);  // stays
  try {
    fill(x, 1, s);
    ADD_FAILURE();
  } catch (const DeviceError& error) {
    EXPECT_NE(std::string(error.what()).find("unspecified launch failure"), std::string::npos);
  }
  EXPECT_TRUE(one_fault("bad library reaches 1 byte past the end of device buffer"));
  EXPECT_EQ(cudaMalloc(&more, 4), cudaSuccess);
  OK(cudaFree(more));
}

TEST_F(Runtime, MemoryOfADeviceInErrorCanBeGivenBack) {
  size_t free = 0, total = 0;
  void* x = nullptr;
  OK(cudaMalloc(&x, kBytes));
  OK(enqueue_library_call(nullptr, {"bad library", {{x, kBytes + 1}}, {}, [] {}}));
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaFree(x), cudaErrorLaunchFailure);
  EXPECT_TRUE(one_fault("bad library"));
  OK(cudaMemGetInfo(&free, &total));
  EXPECT_EQ(free, total);
}

TEST_F(Runtime, MemoryRunsOut) {
  set_device_memory(1000);
  void *first = nullptr, *second = nullptr;
  size_t free = 0, total = 0;
  OK(cudaMalloc(&first, 600));
  EXPECT_EQ(cudaMalloc(&second, 401), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  OK(cudaMemGetInfo(&free, &total));
  EXPECT_EQ(free, 400u);
  EXPECT_EQ(total, 1000u);
  OK(cudaMalloc(&second, 400));
  OK(cudaFree(first));
  OK(cudaFree(second));
  EXPECT_EQ(cudaMalloc(&first, SIZE_MAX), cudaErrorMemoryAllocation);
}

TEST_F(Runtime, TheCallThatATestOrderedFails) {
  void* data = nullptr;
  fail_next(cudaErrorMemoryAllocation, "cudaMalloc", 1);
  device();
  OK(cudaDeviceSynchronize());
  EXPECT_EQ(cudaMalloc(&data, 4), cudaErrorMemoryAllocation);
  device();
  fail_next(cudaErrorECCUncorrectable);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorECCUncorrectable);
  fail_next(cudaErrorLaunchOutOfResources, "cudaLaunchKernelEx");
  EXPECT_THROW(fill(device(), 1, nullptr), DeviceError);
  EXPECT_FALSE(cancel_failure());
  fail_next(cudaErrorInsufficientDriver, "cudaGetDeviceCount");
  EXPECT_TRUE(cancel_failure());
}

TEST_F(Runtime, LaunchBeyondTheLimitsIsRefused) {
  float* x = device();
  const auto refused = [&](dim3 grid, dim3 block, size_t shared) {
    try {
      launch<fill_kernel>({.grid = grid, .block = block, .shared_bytes = shared}, x, 0, 0.0f);
      return false;
    } catch (const DeviceError& error) {
      return std::string(error.what()).find("kernel fill_kernel") == 0;
    }
  };
  EXPECT_TRUE(refused(1, 1025, 0));
  EXPECT_TRUE(refused(1, dim3(64, 32, 1), 0));
  EXPECT_TRUE(refused(1, dim3(1, 1, 65), 0));
  EXPECT_TRUE(refused(dim3(1, 65536, 1), 32, 0));
  EXPECT_TRUE(refused(1, 32, static_cast<size_t>(architecture().shared_bytes_per_block) + 1));
  EXPECT_FALSE(refused(1, 1024, static_cast<size_t>(architecture().shared_bytes_per_block)));
  OK(cudaDeviceSynchronize());
}

TEST_F(Runtime, StaleHandlesAreRefused) {
  cudaStream_t s = nullptr;
  OK(cudaStreamCreate(&s));
  OK(cudaStreamDestroy(s));
  EXPECT_EQ(cudaStreamSynchronize(s), cudaErrorInvalidResourceHandle);
  cudaEvent_t e = nullptr;
  OK(cudaEventCreate(&e));
  OK(cudaEventDestroy(e));
  EXPECT_EQ(cudaEventRecord(e, nullptr), cudaErrorInvalidResourceHandle);
}

TEST_F(Runtime, TwoDevicesWorkSideBySide) {
  set_device_count(2);
  for (const Schedule& by : every_schedule()) {
    SCOPED_TRACE(name_of(by));
    set_schedule(by);
    float* data[2];
    cudaStream_t streams[2];
    for (int d = 0; d < 2; ++d) {
      OK(cudaSetDevice(d));
      data[d] = device();
      streams[d] = stream();
      fill(data[d], static_cast<float>(d + 1), streams[d]);
    }
    for (int d = 0; d < 2; ++d) {
      OK(cudaSetDevice(d));
      float* host = pinned();
      OK(cudaMemcpyAsync(host, data[d], kBytes, cudaMemcpyDeviceToHost, streams[d]));
      OK(cudaStreamSynchronize(streams[d]));
      EXPECT_EQ(host[0], static_cast<float>(d + 1));
    }
  }
}

TEST_F(Runtime, EachThreadHasItsCurrentDevice) {
  set_device_count(2);
  OK(cudaSetDevice(1));
  int seen = -1;
  std::thread([&] { cudaGetDevice(&seen); }).join();
  EXPECT_EQ(seen, 0);
  OK(cudaGetDevice(&seen));
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(cudaSetDevice(2), cudaErrorInvalidDevice);
}

TEST_F(Runtime, ADeviceIsOpenedByBeingChosenOrUsedAndNotByQuestions) {
  set_device_count(3);
  take_opened_devices();
  int seen = -1;
  cudaDeviceProp properties;
  std::thread([&] {
    OK(cudaGetDevice(&seen));
    OK(cudaGetDeviceProperties(&properties, 2));
    EXPECT_EQ(take_opened_devices(), std::vector<int>{});
    OK(cudaSetDevice(1));
    EXPECT_EQ(take_opened_devices(), std::vector<int>{1});
  }).join();
  std::thread([] { cudaFree(nullptr); }).join();  // of a thread that chose none
  EXPECT_EQ(take_opened_devices(), std::vector<int>{0});
}

TEST_F(Runtime, WhatIsNotDestroyedIsCounted) {
  const LiveObjects before = live_objects();
  cudaStream_t s = nullptr;
  cudaEvent_t e = nullptr;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  OK(cudaStreamCreate(&s));
  OK(cudaEventCreate(&e));
  OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
  OK(cudaStreamEndCapture(s, &graph));
  OK(cudaGraphInstantiate(&executable, graph, 0));
  const LiveObjects now = live_objects();
  EXPECT_EQ(now.streams, before.streams + 1);
  EXPECT_EQ(now.events, before.events + 1);
  EXPECT_EQ(now.graphs, before.graphs + 1);
  EXPECT_EQ(now.graph_executables, before.graph_executables + 1);
  fail_next(cudaErrorUnknown, "cudaGraphDestroy");  // an error of other work: the graph is gone
  EXPECT_EQ(cudaGraphDestroy(graph), cudaErrorUnknown);
  OK(cudaGraphExecDestroy(executable));
  OK(cudaEventDestroy(e));
  OK(cudaStreamDestroy(s));
  EXPECT_EQ(live_objects(), before);
}

TEST_F(Runtime, MixingDevicesIsRefusedOrAFault) {
  set_device_count(2);
  float* on_first = device();
  const cudaStream_t of_first = stream();
  const cudaEvent_t event_of_first = event();
  OK(cudaSetDevice(1));
  const cudaStream_t of_second = stream();
  float* on_second = device();
  EXPECT_THROW(fill(on_first, 1, of_first), DeviceError);  // another device is current
  EXPECT_EQ(cudaEventRecord(event_of_first, of_second), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaMemcpyAsync(on_second, on_first, kBytes, cudaMemcpyDeviceToDevice, of_second),
            cudaErrorLaunchFailure);
  EXPECT_TRUE(one_fault("of device 0 while device 1 works"));
  OK(enqueue_library_call(of_second, {"library", {}, {{on_first, 4}}, [] {}}));
  EXPECT_EQ(cudaStreamSynchronize(of_second), cudaErrorLaunchFailure);
  OK(cudaSetDevice(0));
  OK(cudaDeviceSynchronize());  // only the second is in error
  EXPECT_TRUE(one_fault("library reaches into device buffer"));
}

TEST_F(Runtime, MachineWithoutDevicesSaysSo) {
  set_device_count(0);
  int count = -1;
  void* data = nullptr;
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorNoDevice);
  EXPECT_EQ(count, 0);
  EXPECT_EQ(cudaMalloc(&data, 4), cudaErrorNoDevice);
  EXPECT_STREQ(cudaGetErrorString(cudaErrorNoDevice), "no CUDA-capable device is detected");
}

}  // namespace
}  // namespace emulation

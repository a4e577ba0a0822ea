// What the tests of the emulated runtime share: small kernels, and a fixture that leaves a machine as it was.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "emulation/emulation.h"
#include "emulation/library_call.h"
#include "emulation/observer.h"
#include "emulation/sanitizer.h"
#include "kernels/common/launch.h"

namespace emulation {

using tyto::kernels::DeviceError;
using tyto::kernels::launch;

__global__ inline void fill_kernel(float* data, int n, float value) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) data[i] = value;
}

__global__ inline void copy_kernel(float* to, const float* from, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) to[i] = from[i];
}

__global__ inline void add_kernel(float* to, const float* from, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) to[i] += from[i];
}

constexpr int kSize = 5;
constexpr size_t kBytes = kSize * sizeof(float);

inline void fill(float* data, float value, cudaStream_t stream, int n = kSize) {
  launch<fill_kernel>({.grid = 1, .block = 32, .stream = stream}, data, n, value);
}
inline void copy(float* to, const float* from, cudaStream_t stream) {
  launch<copy_kernel>({.grid = 1, .block = 32, .stream = stream}, to, from, kSize);
}
inline void add(float* to, const float* from, cudaStream_t stream) {
  launch<add_kernel>({.grid = 1, .block = 32, .stream = stream}, to, from, kSize);
}

#define OK(expression) ASSERT_EQ(expression, cudaSuccess)

inline std::vector<Schedule> every_schedule() {
  std::vector<Schedule> all = {{Schedule::Order::Forward}, {Schedule::Order::Reverse}};
  for (uint64_t seed = 0; seed < 8; ++seed) all.push_back({Schedule::Order::Shuffled, seed});
  return all;
}

class Runtime : public testing::Test {
 protected:
  void SetUp() override { set_schedule({Schedule::Order::Forward}); }

  void TearDown() override {
    set_device_count(2);
    for (float* data : buffers_) cudaFree(data);
    for (cudaStream_t stream : streams_) cudaStreamDestroy(stream);
    for (cudaEvent_t event : events_) cudaEventDestroy(event);
    for (float* data : pinned_) EXPECT_EQ(cudaFreeHost(data), cudaSuccess);
    EXPECT_EQ(take_faults(), std::vector<std::string>{});
    cancel_failure();
    cudaSetDevice(0);
    set_device_count(1);
    set_device_memory(int64_t{16} << 30);
    cudaGetLastError();
  }

  float* device(int n = kSize) {
    void* data = nullptr;
    EXPECT_EQ(cudaMalloc(&data, n * sizeof(float)), cudaSuccess);
    buffers_.push_back(static_cast<float*>(data));
    return buffers_.back();
  }
  float* pinned(float value = 0) {
    void* data = nullptr;
    EXPECT_EQ(cudaMallocHost(&data, kBytes), cudaSuccess);
    pinned_.push_back(static_cast<float*>(data));
    std::fill_n(pinned_.back(), kSize, value);
    return pinned_.back();
  }
  cudaStream_t stream(unsigned flags = cudaStreamNonBlocking) {
    streams_.emplace_back();
    EXPECT_EQ(cudaStreamCreateWithFlags(&streams_.back(), flags), cudaSuccess);
    return streams_.back();
  }
  cudaEvent_t event(unsigned flags = cudaEventDisableTiming) {
    events_.emplace_back();
    EXPECT_EQ(cudaEventCreateWithFlags(&events_.back(), flags), cudaSuccess);
    return events_.back();
  }
  // `later` waits for what `earlier` was given.
  void order(cudaStream_t earlier, cudaStream_t later) {
    const cudaEvent_t mark = event();
    EXPECT_EQ(cudaEventRecord(mark, earlier), cudaSuccess);
    EXPECT_EQ(cudaStreamWaitEvent(later, mark), cudaSuccess);
  }
  // The first element, by a stream of its own: nothing else is waited for.
  float peek(const float* data) {
    const cudaStream_t own = stream();
    const float* there = data;
    float* here = pinned();
    EXPECT_EQ(cudaMemcpyAsync(here, there, kBytes, cudaMemcpyDeviceToHost, own), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(own), cudaSuccess);
    return here[0];
  }
  void release(float* data) {
    std::erase(buffers_, data);
    ASSERT_EQ(cudaFree(data), cudaSuccess);
  }

  std::vector<float*> buffers_, pinned_;
  std::vector<cudaStream_t> streams_;
  std::vector<cudaEvent_t> events_;
};

using RuntimeDeathTest = Runtime;

// Kernels' own accesses are known where pages tell them.
constexpr bool kSeesKernels = !kAddressSanitizer;

inline testing::AssertionResult one_fault(const std::string& part) {
  const std::vector<std::string> faults = take_faults();
  if (faults.size() == 1 && faults[0].find(part) != std::string::npos) return testing::AssertionSuccess();
  auto failure = testing::AssertionFailure() << faults.size() << " faults, wanted one with '" << part << "'";
  for (const std::string& fault : faults) failure << "\n  " << fault;
  return failure;
}

// One fault that says of two operations that neither waits for the other, whichever of them ran first.
inline testing::AssertionResult race_between(const std::string& a, const std::string& b) {
  const std::vector<std::string> faults = take_faults();
  const auto holds = [&](const std::string& part) { return faults[0].find(part) != std::string::npos; };
  if (faults.size() == 1 && holds(a) && holds(b) && holds("neither waits for the other"))
    return testing::AssertionSuccess();
  auto failure = testing::AssertionFailure() << faults.size() << " faults, wanted a race";
  for (const std::string& fault : faults) failure << "\n  " << fault;
  return failure;
}

}  // namespace emulation

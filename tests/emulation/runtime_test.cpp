// The emulated runtime catches what it is there to catch, and lets right programs be right.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "kernels/common/launch.h"
#include "kernels/emulation/emulation.h"
#include "kernels/emulation/library_call.h"
#include "kernels/emulation/observer.h"
#include "kernels/emulation/sanitizer.h"

namespace emulation {
namespace {

using tyto::kernels::DeviceError;
using tyto::kernels::launch;

__global__ void fill_kernel(float* data, int n, float value) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) data[i] = value;
}

__global__ void copy_kernel(float* to, const float* from, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) to[i] = from[i];
}

__global__ void add_kernel(float* to, const float* from, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) to[i] += from[i];
}

constexpr int kSize = 5;
constexpr size_t kBytes = kSize * sizeof(float);

void fill(float* data, float value, cudaStream_t stream, int n = kSize) {
  launch<fill_kernel>({.grid = 1, .block = 32, .stream = stream}, data, n, value);
}
void copy(float* to, const float* from, cudaStream_t stream) {
  launch<copy_kernel>({.grid = 1, .block = 32, .stream = stream}, to, from, kSize);
}
void add(float* to, const float* from, cudaStream_t stream) {
  launch<add_kernel>({.grid = 1, .block = 32, .stream = stream}, to, from, kSize);
}

#define OK(expression) ASSERT_EQ(expression, cudaSuccess)

std::vector<Schedule> every_schedule() {
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

testing::AssertionResult one_fault(const std::string& part) {
  const std::vector<std::string> faults = take_faults();
  if (faults.size() == 1 && faults[0].find(part) != std::string::npos) return testing::AssertionSuccess();
  auto failure = testing::AssertionFailure() << faults.size() << " faults, wanted one with '" << part << "'";
  for (const std::string& fault : faults) failure << "\n  " << fault;
  return failure;
}

TEST_F(Runtime, RunsNothingBeforeSomebodyWaits) {
  const cudaStream_t s = stream();
  const int64_t before = runtime_counts().launches;
  fill(device(), 1, s);
  EXPECT_EQ(runtime_counts().launches, before);
  OK(cudaStreamSynchronize(s));
  EXPECT_EQ(runtime_counts().launches, before + 1);
}

TEST_F(Runtime, FreshMemoryHoldsNaN) { EXPECT_TRUE(std::isnan(peek(device()))); }

TEST_F(Runtime, WaitingForAStreamLeavesOtherWorkWaiting) {
  const cudaStream_t waited = stream(), other = stream();
  float *a = device(), *b = device();
  fill(a, 1, other);
  fill(b, 2, waited);
  OK(cudaStreamSynchronize(waited));
  EXPECT_EQ(cudaStreamQuery(other), cudaErrorNotReady);
  EXPECT_EQ(peek(b), 2);
}

TEST_F(Runtime, MissingStreamWaitShows) {
  for (bool waits : {false, true}) {
    const cudaStream_t writer = stream(), reader = stream();
    float *x = device(), *y = device();
    fill(x, 1, writer);
    if (waits) order(writer, reader);
    copy(y, x, reader);
    OK(cudaDeviceSynchronize());
    EXPECT_EQ(peek(y) == 1, waits);
  }
}

// The reader comes first in the program, so only a schedule that runs unrelated work early shows it.
TEST_F(Runtime, MissingWaitForAReaderShowsWhereOtherStreamsRunAhead) {
  set_schedule({Schedule::Order::Reverse});
  for (bool waits : {false, true}) {
    const cudaStream_t reader = stream(), writer = stream();
    float *x = device(), *y = device();
    fill(x, 1, reader);
    OK(cudaDeviceSynchronize());
    copy(y, x, reader);
    if (waits) order(reader, writer);
    fill(x, 2, writer);
    OK(cudaStreamSynchronize(reader));
    EXPECT_EQ(peek(y) == 1, waits);
  }
}

TEST_F(Runtime, SomeShuffleShowsEitherMissingWait) {
  int read_too_early = 0, written_too_early = 0;
  for (const Schedule& by : every_schedule()) {
    set_schedule(by);
    const cudaStream_t one = stream(), two = stream();
    float *x = device(), *y = device();
    fill(x, 1, one);
    OK(cudaDeviceSynchronize());
    fill(x, 2, one);
    copy(y, x, two);
    fill(x, 3, one);
    OK(cudaDeviceSynchronize());
    read_too_early += peek(y) == 1;
    written_too_early += peek(y) == 3;
  }
  EXPECT_GT(read_too_early, 0);
  EXPECT_GT(written_too_early, 0);
}

TEST_F(Runtime, EventsOrderStreamsUnderEverySchedule) {
  for (const Schedule& by : every_schedule()) {
    SCOPED_TRACE(name_of(by));
    set_schedule(by);
    const cudaStream_t left = stream(), right = stream();
    float *x = device(), *y = device();
    fill(x, 1, left);
    for (int i = 0; i < 20; ++i) {
      order(left, right);
      copy(y, x, right);
      order(right, left);
      add(x, y, left);
    }
    OK(cudaStreamSynchronize(left));
    EXPECT_EQ(peek(x), 1 << 20);
  }
}

TEST_F(Runtime, AnEventStandsForItsLatestRecord) {
  const cudaStream_t s = stream();
  const cudaEvent_t mark = event();
  OK(cudaEventSynchronize(mark));  // never recorded: nothing to wait for
  float* x = device();
  fill(x, 1, s);
  OK(cudaEventRecord(mark, s));
  fill(x, 2, s);
  OK(cudaEventRecord(mark, s));
  fill(x, 3, s);
  OK(cudaEventSynchronize(mark));
  EXPECT_EQ(peek(x), 2);
}

TEST_F(Runtime, AskingOftenEnoughGetsTheWorkDone) {
  const cudaStream_t s = stream();
  const cudaEvent_t mark = event();
  float* x = device();
  for (int i = 1; i <= 3; ++i) fill(x, static_cast<float>(i), s);
  OK(cudaEventRecord(mark, s));
  int asked = 0;
  while (cudaEventQuery(mark) == cudaErrorNotReady) ++asked;
  EXPECT_EQ(asked, 4);
  EXPECT_EQ(cudaStreamQuery(s), cudaSuccess);
  EXPECT_EQ(peek(x), 3);
}

TEST_F(Runtime, ElapsedTimeNeedsTimedEventsThatHaveHappened) {
  const cudaStream_t s = stream();
  const cudaEvent_t from = event(cudaEventDefault), to = event(cudaEventDefault), untimed = event();
  float milliseconds = -1;
  OK(cudaEventRecord(from, s));
  fill(device(), 1, s);
  OK(cudaEventRecord(to, s));
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, from, to), cudaErrorNotReady);
  OK(cudaStreamSynchronize(s));
  OK(cudaEventElapsedTime(&milliseconds, from, to));
  EXPECT_GT(milliseconds, 0);
  OK(cudaEventRecord(untimed, s));
  OK(cudaStreamSynchronize(s));
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, from, untimed), cudaErrorInvalidResourceHandle);
}

TEST_F(Runtime, BlockingStreamsTakeTurnsWithTheDefaultStream) {
  for (const Schedule& by : every_schedule()) {
    SCOPED_TRACE(name_of(by));
    set_schedule(by);
    const cudaStream_t s = stream(cudaStreamDefault);
    float *x = device(), *y = device();
    fill(x, 1, s);
    copy(y, x, nullptr);
    fill(x, 2, s);
    OK(cudaDeviceSynchronize());
    EXPECT_EQ(peek(y), 1);
  }
}

TEST_F(Runtime, NonBlockingStreamsDoNot) {
  const cudaStream_t s = stream(cudaStreamNonBlocking);
  float *x = device(), *y = device();
  fill(x, 1, nullptr);
  copy(y, x, s);
  OK(cudaDeviceSynchronize());
  EXPECT_TRUE(std::isnan(peek(y)));
}

// CUDA: "for transfers from pageable host memory to device memory [...] the DMA to final destination may not have
// completed".
TEST_F(Runtime, UploadsFromPageableMemoryAreStagedAndStillUnderWay) {
  std::vector<float> host(kSize, 1);
  float *x = device(), *y = device();
  OK(cudaMemcpy(x, host.data(), kBytes, cudaMemcpyHostToDevice));
  host.assign(kSize, 2);
  EXPECT_TRUE(std::isnan(peek(x)));  // another stream, which has not waited
  copy(y, x, nullptr);
  OK(cudaMemcpy(host.data(), y, kBytes, cudaMemcpyDeviceToHost));
  EXPECT_EQ(host, std::vector<float>(kSize, 1));
}

TEST_F(Runtime, CopiesWithinTheDeviceAndMemsetsReturnAtOnce) {
  float *x = device(), *y = device();
  OK(cudaMemset(x, 0, kBytes));
  OK(cudaMemcpy(y, x, kBytes, cudaMemcpyDeviceToDevice));
  EXPECT_TRUE(std::isnan(peek(x)));
  OK(cudaDeviceSynchronize());
  EXPECT_EQ(peek(y), 0);
}

TEST_F(Runtime, RowsAreCopiedByTheirPitch) {
  const std::vector<float> host = {1, 2, 3, 4, 5, 6};  // 2 x 3
  float* x = device(8);                                // 2 x 4
  OK(cudaMemset(x, 0, 8 * sizeof(float)));
  OK(cudaMemcpy2D(x, 16, host.data(), 12, 12, 2, cudaMemcpyHostToDevice));
  std::vector<float> back(8);
  OK(cudaMemcpy(back.data(), x, 32, cudaMemcpyDeviceToHost));
  EXPECT_EQ(back, (std::vector<float>{1, 2, 3, 0, 4, 5, 6, 0}));
  EXPECT_EQ(cudaMemcpy2D(x, 8, host.data(), 12, 12, 2, cudaMemcpyHostToDevice), cudaErrorInvalidPitchValue);
}

TEST_F(Runtime, PinnedBufferChangedTooEarlyShows) {
  const cudaStream_t s = stream();
  float *x = device(), *host = pinned(1);
  OK(cudaMemcpyAsync(x, host, kBytes, cudaMemcpyHostToDevice, s));
  std::fill_n(host, kSize, 2.0f);
  OK(cudaStreamSynchronize(s));
  EXPECT_EQ(peek(x), 2);
}

TEST_F(Runtime, ResultReadTooEarlyIsNotThere) {
  const cudaStream_t s = stream();
  float *x = device(), *host = pinned(-1);
  fill(x, 1, s);
  OK(cudaMemcpyAsync(host, x, kBytes, cudaMemcpyDeviceToHost, s));
  EXPECT_EQ(host[0], -1);
  OK(cudaStreamSynchronize(s));
  EXPECT_EQ(host[0], 1);
}

TEST_F(Runtime, PinnedBufferFreedTooEarlyIsAFault) {
  const cudaStream_t s = stream();
  void* host = nullptr;
  OK(cudaHostAlloc(&host, kBytes, cudaHostAllocDefault));
  OK(cudaMemcpyAsync(device(), host, kBytes, cudaMemcpyHostToDevice, s));
  EXPECT_EQ(cudaFreeHost(host), cudaErrorLaunchFailure);
  EXPECT_TRUE(one_fault("is released before cudaMemcpyAsync of 20 bytes, which needs it, has run"));
}

TEST_F(Runtime, RegisteredMemoryIsPinnedUntilItIsNot) {
  const cudaStream_t s = stream();
  std::vector<float> host(kSize, 3);
  float* x = device();
  OK(cudaHostRegister(host.data(), kBytes, cudaHostRegisterDefault));
  EXPECT_EQ(cudaHostRegister(host.data() + 1, 4, cudaHostRegisterDefault),
            cudaErrorHostMemoryAlreadyRegistered);
  OK(cudaMemcpyAsync(x, host.data(), kBytes, cudaMemcpyHostToDevice, s));
  OK(cudaStreamSynchronize(s));
  OK(cudaHostUnregister(host.data()));
  EXPECT_EQ(peek(x), 3);
  EXPECT_EQ(cudaMemcpyAsync(x, host.data(), kBytes, cudaMemcpyHostToDevice, s), cudaErrorLaunchFailure);
  EXPECT_TRUE(one_fault("its source is not pinned"));
}

TEST_F(Runtime, AsynchronousCopyOfPageableMemoryIsAFault) {
  std::vector<float> host(kSize);
  float* x = device();
  EXPECT_EQ(cudaMemcpyAsync(host.data(), x, kBytes, cudaMemcpyDeviceToHost, stream()),
            cudaErrorLaunchFailure);
  EXPECT_TRUE(
      one_fault("cudaMemcpyAsync of 20 bytes is no asynchronous copy: its destination is not pinned"));
}

TEST_F(Runtime, CopyThatOverrunsABufferIsAFault) {
  std::vector<float> host(kSize + 1);
  float* x = device();
  EXPECT_EQ(cudaMemcpy(x, host.data(), kBytes + 4, cudaMemcpyHostToDevice), cudaErrorLaunchFailure);
  EXPECT_TRUE(one_fault("cudaMemcpy of 24 bytes reaches 4 bytes past the end of device buffer"));
}

TEST_F(Runtime, CopyInTheWrongDirectionIsRefused) {
  std::vector<float> host(kSize);
  EXPECT_EQ(cudaMemcpy(host.data(), device(), kBytes, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  OK(cudaMemcpy(host.data(), device(), kBytes, cudaMemcpyDefault));
}

TEST_F(RuntimeDeathTest, KernelThatOverrunsABufferIsNamed) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const cudaStream_t s = stream();
  float* x = device();
  if (kAddressSanitizer) {
    for (const int n : {kSize + 1, 30})
      EXPECT_DEATH(
          {
            fill(x, 1, s, n);
            cudaStreamSynchronize(s);
          },
          "use-after-poison");
    return;
  }
  fill(x, 1, s, kSize + 2);
  EXPECT_EQ(cudaStreamSynchronize(s), cudaErrorLaunchFailure);
  EXPECT_TRUE(one_fault("kernel fill_kernel wrote up to 8 bytes past the end of device buffer"));
  fill(x - 1, 1, s);
  EXPECT_EQ(cudaStreamSynchronize(s), cudaErrorLaunchFailure);
  EXPECT_TRUE(one_fault("kernel fill_kernel wrote 4 bytes before the start of device buffer"));
}

TEST_F(Runtime, FreeingWaitsForTheDevice) {
  const cudaStream_t s = stream();
  float *x = device(), *y = device();
  fill(x, 1, s);
  copy(y, x, s);
  release(x);
  EXPECT_EQ(peek(y), 1);
}

TEST_F(Runtime, MemoryFreedInAStreamIsGoneWhenTheStreamComesToIt) {
  const cudaStream_t s = stream(), other = stream();
  void* x = nullptr;
  float *y = device(), *host = pinned();
  OK(cudaMallocAsync(&x, kBytes, s));
  fill(static_cast<float*>(x), 1, s);
  copy(y, static_cast<float*>(x), s);
  OK(cudaFreeAsync(x, s));
  OK(cudaMemcpyAsync(host, x, kBytes, cudaMemcpyDeviceToHost, other));  // does not wait for anything
  OK(cudaStreamSynchronize(s));
  EXPECT_EQ(peek(y), 1);
  EXPECT_EQ(cudaStreamSynchronize(other), cudaErrorLaunchFailure);
  EXPECT_TRUE(one_fault("which is released"));
}

TEST_F(Runtime, CopyOfAFreedBufferIsAFault) {
  float* x = device();
  release(x);
  std::vector<float> host(kSize);
  EXPECT_EQ(cudaMemcpy(host.data(), x, kBytes, cudaMemcpyDefault), cudaErrorLaunchFailure);
  EXPECT_TRUE(one_fault("cudaMemcpy of 20 bytes reaches into device buffer"));
}

TEST_F(RuntimeDeathTest, KernelThatUsesAFreedBufferEndsTheProgram) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  float* x = device();
  release(x);
  EXPECT_DEATH(
      {
        fill(x, 1, nullptr);
        cudaDeviceSynchronize();
      },
      kAddressSanitizer ? "use-after-poison"
                        : "kernel fill_kernel touches device buffer .*, which is released");
}

TEST_F(RuntimeDeathTest, HostCodeThatFollowsADevicePointerEndsTheProgram) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  float* fresh = device();
  float* used = device();
  peek(used);
  for (volatile float* x : {fresh, used})
    EXPECT_DEATH(x[0] = 1,
                 kAddressSanitizer ? "use-after-poison" : "host code touches device buffer .* of device 0");
}

TEST_F(RuntimeDeathTest, KernelThatReachesIntoAnotherDeviceEndsTheProgram) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  set_device_count(2);
  OK(cudaSetDevice(1));
  float* x = device();
  OK(cudaSetDevice(0));
  EXPECT_DEATH(
      {
        fill(x, 1, nullptr);
        cudaDeviceSynchronize();
      },
      kAddressSanitizer ? "use-after-poison" : "kernel fill_kernel touches device buffer .* of device 1");
}

TEST_F(RuntimeDeathTest, FaultThatNobodyAskedForFailsTheProgram) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  float* x = device();
  EXPECT_EXIT(
      {
        std::vector<float> host(kSize);
        cudaMemcpyAsync(host.data(), x, kBytes, cudaMemcpyDeviceToHost, nullptr);
        std::exit(0);
      },
      testing::ExitedWithCode(1), "not asked for: cudaMemcpyAsync of 20 bytes");
}

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

TEST_F(Runtime, CapturedForkThatComesTooEarlyShows) {
  for (bool too_early : {true, false}) {
    const cudaStream_t s = stream(), side = stream();
    float *x = device(), *y = device();
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
    if (too_early) order(s, side);
    fill(x, 1, s);
    if (!too_early) order(s, side);
    copy(y, x, side);
    order(side, s);
    OK(cudaStreamEndCapture(s, &graph));
    OK(cudaGraphInstantiate(&executable, graph, 0));
    OK(cudaGraphLaunch(executable, s));
    OK(cudaStreamSynchronize(s));
    EXPECT_EQ(peek(y) == 1, !too_early);
    OK(cudaGraphExecDestroy(executable));
    OK(cudaGraphDestroy(graph));
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

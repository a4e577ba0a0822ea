// Memory: what is pinned, freed or overrun too early is a fault.
#include "emulation/runtime_fixture.h"

namespace emulation {
namespace {

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
  EXPECT_TRUE(one_fault("is released before cudaMemcpyAsync of 20 bytes, which needs it, is waited for"));
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
  float* x = device();
  EXPECT_EQ(cudaMemcpy(host.data(), x, kBytes, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  OK(cudaMemcpy(x, host.data(), kBytes, cudaMemcpyDefault));
  OK(cudaMemcpy(host.data(), x, kBytes, cudaMemcpyDefault));
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
  OK(cudaMemset(used, 0, kBytes));
  OK(cudaDeviceSynchronize());
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

}  // namespace
}  // namespace emulation

// Proves launch_times.cpp without a GPU.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "kernels/cuda/launch_times/fake_runtime.h"
#include "support/temporary_folder.h"

namespace {

TEST(LaunchTimes, RepeatsOnTheSameMemoryAndWritesTheMedian) {
  const tyto::TemporaryFolder folder;
  const std::string file = folder / "times";
  setenv("TYTO_LAUNCH_TIMES", file.c_str(), 1);
  int *counter = nullptr, *freed = nullptr;
  cudaMalloc(reinterpret_cast<void**>(&counter), sizeof(int));
  cudaMalloc(reinterpret_cast<void**>(&freed), sizeof(int));
  cudaFree(freed);
  *counter = 40;

  cudaLaunchConfig_t config{};
  config.gridDim = {3, 2, 1};
  config.blockDim = {32, 4, 1};
  void* arguments[] = {&counter};
  EXPECT_EQ(cudaLaunchKernelExC(&config, nullptr, arguments), cudaSuccess);
  EXPECT_EQ(*counter, 41);
  cudaFree(counter);

  EXPECT_EQ(launches % 2, 1);
  const int middle = (launches + 1) / 2;
  EXPECT_GT(middle, 5);
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  EXPECT_EQ(text.str(), "kernel\tblocks\tthreads\tmicroseconds\ncount_kernel<float, 3>\t6\t128\t" +
                            std::to_string(middle) + ".000\n");
}

}  // namespace

// The benchmarks' cases, run once on the CPU and once on the emulated device: what nobody would else see
// before a GPU is there.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bench/kernels/kernel_case.h"
#include "emulation/emulation.h"

namespace tyto::bench {
namespace {

class HostArrays : public Arrays {
  void* place(Tensor& tensor) override { return tensor.data(); }
  int64_t channel_block(int64_t channels) const override { return channels % 16 == 0 ? 16 : 1; }
};

class EmulatedArrays : public Arrays {
 public:
  ~EmulatedArrays() override {
    for (const auto& [tensor, memory] : copies_) cudaFree(memory);
  }
  void fetch() {
    for (auto& [tensor, memory] : copies_)
      cudaMemcpy(tensor.data(), memory, static_cast<size_t>(tensor.bytes()), cudaMemcpyDeviceToHost);
  }

 private:
  void* place(Tensor& tensor) override {
    void* memory = nullptr;
    cudaMalloc(&memory, static_cast<size_t>(tensor.bytes()));
    cudaMemcpy(memory, tensor.data(), static_cast<size_t>(tensor.bytes()), cudaMemcpyHostToDevice);
    copies_.emplace_back(tensor, memory);
    return memory;
  }
  int64_t channel_block(int64_t channels) const override { return channels; }

  std::vector<std::pair<Tensor, void*>> copies_;  // tensors that share their memory with the arrays
};

// Of the largest value; infinite where NaNs stand at different places.
double difference(std::span<const float> a, std::span<const float> b) {
  double difference = 0, largest = 1e-30;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) != std::isnan(b[i])) return INFINITY;
    if (std::isnan(a[i])) continue;
    difference = std::max(difference, std::abs(double{a[i]} - b[i]));
    largest = std::max(largest, std::abs(double{b[i]}));
  }
  return difference / largest;
}

TEST(BenchmarkCases, GiveOnCudaWhatTheyGiveOnTheCpu) {
  // How kernels round, their own tests judge; a wrong argument shows in the first digits.
  constexpr double kTolerance = 1e-3;
  // What has more, emulation is too slow for; a smaller case of the kernel has the same arguments.
  constexpr double kMostOperations = 1e8;
  for (const KernelCase& c : all_cases()) {
    if (c.on == RunsOn::CpuAlone) continue;
    HostArrays host;
    const Work work = c.prepare(host);
    if (work.operations > kMostOperations) continue;
    EmulatedArrays device;
    work.cpu();
    c.prepare(device).cuda(nullptr);
    cudaDeviceSynchronize();
    device.fetch();
    for (const std::string& fault : emulation::take_faults()) ADD_FAILURE() << c.name << ": " << fault;
    for (const std::string& name : host.names()) {
      const Tensor want = host.plain(name), got = device.plain(name);
      ASSERT_EQ(got.shape(), want.shape()) << c.name << ": " << name;
      if (want.dtype() == DType::F32)
        EXPECT_LE(difference(got.as<float>(), want.as<float>()), kTolerance) << c.name << ": " << name;
      else
        EXPECT_TRUE(std::equal(got.data(), got.data() + got.bytes(), want.data())) << c.name << ": " << name;
    }
  }
}

}  // namespace
}  // namespace tyto::bench

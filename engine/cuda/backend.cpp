// The CUDA backend: cuDNN and cuBLASLt beside our own kernels, one arena and one captured graph per plan.
#include "engine/backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "engine/cuda/devices.h"
#include "engine/cuda/executable.h"
#include "kernels/common/device_error.h"
#include "kernels/layout/channels_last.h"

namespace tyto {
namespace {

using cuda::check;

constexpr double kMiB = 1 << 20;

class CudaBackend : public Backend {
 public:
  CudaBackend(int index, const ContextOptions& options) : memory_limit_(options.memory_limit) {
    const cuda::DeviceInfo info = cuda::usable_device(index);
    const cuda::DeviceScope scope(index);
    device_ = std::make_shared<cuda::Device>();
    device_->info = info;
    try_kernel();
    device_->synchronous = options.synchronous;
    cuda::LibraryOptions libraries;
    libraries.device = index;
    libraries.autotune = options.autotune;
    libraries.cache = options.tuning_cache;
    libraries.notice = options.notice;
    device_->libraries = std::make_unique<cuda::Libraries>(libraries);
  }

  std::unique_ptr<Executable> compile(const Graph& graph, Precision precision) override {
    const cuda::DeviceScope scope(device_->info.index);
    device_->weights.forget_unused();
    const std::string plan = describe(graph, precision);
    cuda::Lowering lowering(graph, precision, *device_->libraries, device_->weights);
    cuda::Lowered lowered = lowering.lower([&](int64_t bytes) {
      admit(bytes + cuda::CudaExecutable::staging_bytes(graph), plan, graph);
      return cuda::DeviceBuffer(bytes);
    });
    return std::make_unique<cuda::CudaExecutable>(std::move(lowered), device_);
  }

  std::vector<std::pair<std::string, std::string>> describe() const override {
    const cuda::DeviceInfo& info = device_->info;
    std::vector<std::pair<std::string, std::string>> lines = {{"device", fmt::format("cuda:{}", info.index)},
                                                              {"GPU", cuda::describe(info)},
                                                              {"precisions", "fp32, tf32, fp16, bf16"}};
    for (const auto& line : device_->libraries->describe()) lines.push_back(line);
    return lines;
  }

 private:
  // A build for other architectures shows at the first kernel; better here than in the middle of a run.
  void try_kernel() const {
    const cuda::DeviceInfo& info = device_->info;
    const cuda::DeviceBuffer one(sizeof(uint32_t));
    try {
      check(cudaMemsetAsync(one.data(), 0, sizeof(uint32_t), device_->compute), "use the GPU's memory");
      auto* const value = reinterpret_cast<float*>(one.data());
      kernels::convert<float, float>(value, 1, value, device_->compute);
      device_->compute.wait();
    } catch (const kernels::DeviceError& error) {
      throw Error(ErrorKind::Device,
                  fmt::format("cuda:{}, a {}, does not run this build's kernels; build with "
                              "-DCMAKE_CUDA_ARCHITECTURES={}{}, or use --device cpu ({})",
                              info.index, info.name, info.major, info.minor, error.what()));
    }
  }

  static std::string describe(const Graph& graph, Precision precision) {
    for (const Node& node : graph.nodes())
      if (std::holds_alternative<Input>(node.op))
        return fmt::format("the {} plan for {}", name_of(precision), node.shape.str());
    return "the plan";
  }

  static int64_t batch_of(const Graph& graph) {
    for (const Node& node : graph.nodes())
      if (std::holds_alternative<Input>(node.op) && node.shape.rank() > 0) return node.shape[0];
    return 1;
  }

  // Error{Memory} where the limit or the GPU has less than a plan of so many bytes needs.
  void admit(int64_t bytes, const std::string& plan, const Graph& graph) {
    size_t free_bytes = 0, total = 0;
    check(cudaMemGetInfo(&free_bytes, &total), "ask for the GPU's free memory");
    auto available = static_cast<int64_t>(free_bytes);
    std::string whose = fmt::format("cuda:{} has {:.0f} MiB free", device_->info.index,
                                    static_cast<double>(available) / kMiB);
    if (memory_limit_ > 0) {
      const int64_t left = memory_limit_ - device_->plan_bytes - device_->weights.bytes();
      if (left < available) {
        available = std::max<int64_t>(left, 0);
        whose = fmt::format("the limit of {:.0f} MiB leaves {:.0f} MiB",
                            static_cast<double>(memory_limit_) / kMiB, static_cast<double>(available) / kMiB);
      }
    }
    if (bytes <= available) return;
    // Activations grow with the batch; what does not, the libraries' scratch, makes this estimate a cautious one.
    const int64_t fitting = static_cast<int64_t>(static_cast<double>(batch_of(graph)) *
                                                 static_cast<double>(available) / static_cast<double>(bytes));
    throw Error(ErrorKind::Memory,
                fmt::format("{} needs {:.0f} MiB, and {}; {}", plan, static_cast<double>(bytes) / kMiB, whose,
                            fitting >= 1 ? fmt::format("use --batch {} or smaller", fitting)
                                         : "not even one image fits"));
  }

  int64_t memory_limit_;
  std::shared_ptr<cuda::Device> device_;
};

}  // namespace

int count_gpus() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

std::vector<std::pair<std::string, std::string>> describe_cuda() {
  std::vector<std::pair<std::string, std::string>> lines = {{"CUDA runtime", cuda::runtime_version()},
                                                            {"CUDA driver", cuda::driver_version()}};
  try {
    for (const cuda::DeviceInfo& info : cuda::devices())
      lines.emplace_back(
          fmt::format("cuda:{}", info.index),
          cuda::describe(info) + (info.major < cuda::kOldestMajor ? ", too old for tyto" : ""));
  } catch (const Error& error) {
    lines.emplace_back("GPUs", error.what());
  }
  return lines;
}

std::unique_ptr<Backend> make_cuda_backend(int device, const ContextOptions& options) {
  return std::make_unique<CudaBackend>(device, options);
}

}  // namespace tyto

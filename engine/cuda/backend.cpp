// The CUDA backend: cuDNN and cuBLASLt beside our own kernels, one arena and one captured graph per plan.
#include "engine/runtime/backend.h"

#include <fmt/format.h>

#include <memory>

#include "engine/cuda/devices.h"
#include "engine/cuda/executable.h"
#include "engine/cuda/peaks.h"
#include "engine/graph/prologue.h"
#include "engine/runtime/admission.h"
#include "kernels/common/device_error.h"
#include "kernels/layout/convert.h"

namespace tyto {
namespace {

using cuda::check;

constexpr double kMiB = 1 << 20;

class CudaBackend : public Backend {
 public:
  CudaBackend(int index, const ContextOptions& options) : memory_limit_(options.memory_limit) {
    const cuda::DeviceInfo info = cuda::usable_device(index);
    const cuda::DeviceScope scope(index);
    device_ = std::make_shared<cuda::Device>(info);
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
    const Graph ordered = prologue_first(graph);
    const int64_t staging = cuda::CudaExecutable::staging_bytes(ordered, precision);
    const Admission admission(ordered, precision, staging, memory().total, room());
    cuda::Lowering lowering(ordered, precision, *device_->libraries, device_->weights, admission);
    cuda::Lowered lowered = lowering.lower();
    admission.plan(device_->arena->bytes_with(lowered.arena_bytes) + staging + lowered.kept_bytes, room());
    device_->compute.wait();  // the arena may move
    return std::make_unique<cuda::CudaExecutable>(std::move(lowered), device_);
  }

  int in_flight() const override { return cuda::CudaExecutable::kSlots; }
  bool preprocesses() const override { return true; }

  Peaks measure_peaks(Precision precision) override {
    const cuda::DeviceScope scope(device_->info.index);
    return {cuda::peak_flops(*device_->libraries, device_->compute, precision),
            cuda::peak_bandwidth(device_->compute)};
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

  // The GPU's memory, and what is free of it.
  struct Memory {
    Room total, free;
  };
  Memory memory() const {
    size_t free_bytes = 0, total_bytes = 0;
    check(cudaMemGetInfo(&free_bytes, &total_bytes), "ask for the GPU's free memory");
    const auto room = [&](size_t bytes, const char* free) {
      return Room{static_cast<int64_t>(bytes), fmt::format("cuda:{} has {:.0f} MiB{}", device_->info.index,
                                                           static_cast<double>(bytes) / kMiB, free)};
    };
    return {room(total_bytes, ""), room(free_bytes, " free")};
  }

  // What the GPU or the limit leaves for the arena and the staging of one more plan.
  Room room() const {
    Room free = memory().free;
    free.bytes += device_->arena->bytes();
    return limited(free, memory_limit_, device_->plan_bytes + device_->weights.bytes());
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
      lines.emplace_back(fmt::format("cuda:{}", info.index),
                         cuda::describe(info) + (info.major < cuda::kMinMajor ? ", too old for tyto" : ""));
  } catch (const Error& error) {
    lines.emplace_back("GPUs", error.what());
  }
  return lines;
}

std::unique_ptr<Backend> make_cuda_backend(int device, const ContextOptions& options) {
  return std::make_unique<CudaBackend>(device, options);
}

}  // namespace tyto

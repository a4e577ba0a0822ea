#include "engine/cuda/libraries.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "engine/cuda/libraries/libraries_impl.h"
#include "tyto/error.h"

namespace tyto::cuda {
namespace {

// Small positive numbers in fp32, fp16 and bf16 alike: zeros would let the GPU clock higher than it will.
constexpr int kFillByte = 0x3c;

}  // namespace

Libraries::Impl::Impl(LibraryOptions given)
    : options(std::move(given)),
      cudnn_handle(nullptr, cudnn.Destroy),
      cublas_handle(nullptr, cublas.Destroy) {
  const DeviceScope device(options.device);
  cudnnHandle_t dnn = nullptr;
  cudnn.check(cudnn.Create(&dnn), "start on this GPU");
  cudnn_handle.reset(dnn);
  cublasLtHandle_t lt = nullptr;
  cublas.check(cublas.Create(&lt), "start on this GPU");
  cublas_handle.reset(lt);
  if (options.autotune) cache_.emplace(options.cache, machine(), options.notice);
}

std::string Libraries::Impl::machine() const {
  cudaDeviceProp p{};
  check(cudaGetDeviceProperties(&p, options.device), "ask what GPU this is");
  int driver = 0;
  check(cudaDriverGetVersion(&driver), "ask for the driver's version");
  return fmt::format("{}, sm_{}{}, driver {}.{}, cuDNN {}, cuBLASLt {}", p.name, p.major, p.minor,
                     driver / 1000, driver % 1000 / 10, cudnn.version(), cublas.version());
}

size_t Libraries::Impl::fastest(
    const std::string& operation, const std::vector<std::string>& algorithms,
    const std::vector<int64_t>& buffer_bytes,
    const std::function<void(size_t, const std::vector<DeviceBuffer>&, cudaStream_t)>& run) {
  if (algorithms.size() < 2) return 0;
  if (const auto known = tuned(operation))
    for (size_t i = 0; i < algorithms.size(); ++i)
      if (algorithms[i] == *known) return i;
  const DeviceScope device(options.device);
  try {
    const size_t best = time_all(algorithms.size(), buffer_bytes, run);
    cache_->keep(operation, algorithms[best]);
    return best;
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::Memory) throw;
    if (options.notice) options.notice(fmt::format("{} was not tuned: {}", operation, e.what()));
    return 0;
  }
}

size_t Libraries::Impl::time_all(
    size_t count, const std::vector<int64_t>& buffer_bytes,
    const std::function<void(size_t, const std::vector<DeviceBuffer>&, cudaStream_t)>& run) {
  if (!stopwatch_) stopwatch_.emplace();
  std::vector<DeviceBuffer> buffers;
  for (int64_t bytes : buffer_bytes) {
    const DeviceBuffer& b = buffers.emplace_back(bytes);
    if (bytes > 0)
      check(cudaMemsetAsync(b.data(), kFillByte, static_cast<size_t>(bytes), stopwatch_->stream()),
            "fill memory");
  }
  size_t best = 0;
  float least = std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < count; ++i)
    if (const float t = stopwatch_->time([&](cudaStream_t s) { run(i, buffers, s); }); t < least)
      best = i, least = t;
  return best;
}

Libraries::Libraries(LibraryOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Libraries::~Libraries() = default;

std::vector<std::pair<std::string, std::string>> Libraries::describe() const {
  return {{"cuDNN", fmt::format("{} from {}", impl_->cudnn.version(), impl_->cudnn.path())},
          {"cuBLASLt", fmt::format("{} from {}", impl_->cublas.version(), impl_->cublas.path())}};
}

}  // namespace tyto::cuda

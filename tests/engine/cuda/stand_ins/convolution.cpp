#include "engine/cuda/convolution.h"

#include <fmt/format.h>

#include <atomic>

#include "engine/cuda/stand_ins/device_convolution.h"
#include "engine/cuda/stand_ins/heuristics.h"
#include "engine/cuda/stand_ins/libraries_impl.h"

namespace tyto::cuda {
namespace {

std::atomic<int64_t> asked = 0;

}  // namespace

int64_t heuristics_asked() { return asked; }

struct Convolution::Impl {
  DeviceConvolution convolution;
  const std::string algorithm = "stand-in";
};

Convolution::Convolution(Libraries& libraries, const ConvolutionSpec& spec)
    : impl_(new Impl{
          DeviceConvolution(libraries, spec, fmt::format("cuDNN's {0} x {0} convolution", spec.kernel))}) {
  if (libraries.impl().families.insert(family_of(spec)).second) ++asked;
}
Convolution::~Convolution() = default;
Convolution::Convolution(Convolution&&) noexcept = default;

void Convolution::run(const void* x, const void* weights, const void* bias, const void* residual, void* y,
                      void* workspace, kernels::Stream stream) {
  impl_->convolution.run(x, weights, bias, residual, y, workspace, stream);
}

int64_t Convolution::workspace_bytes() const { return impl_->convolution.workspace_bytes(); }
const std::string& Convolution::algorithm() const { return impl_->algorithm; }

}  // namespace tyto::cuda

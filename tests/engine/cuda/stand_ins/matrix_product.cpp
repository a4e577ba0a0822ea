#include "engine/cuda/matrix_product.h"

#include "engine/cuda/stand_ins/device_convolution.h"

namespace tyto::cuda {
namespace {

// x [rows, inputs] is an image of `rows` pixels, one below the other.
ConvolutionSpec as_convolution(const MatrixProductSpec& spec) {
  ConvolutionSpec s;
  s.precision = spec.precision;
  s.n = s.width = s.out_width = 1;
  s.height = s.out_height = spec.rows;
  s.channels = spec.inputs;
  s.outputs = spec.outputs;
  s.bias = spec.bias;
  s.relu = spec.relu;
  return s;
}

}  // namespace

struct MatrixProduct::Impl {
  DeviceConvolution convolution;
  const std::string algorithm = "stand-in";
};

MatrixProduct::MatrixProduct(Libraries& libraries, const MatrixProductSpec& spec)
    : impl_(new Impl{DeviceConvolution(libraries, as_convolution(spec), "cuBLASLt's matrix product")}) {}
MatrixProduct::~MatrixProduct() = default;
MatrixProduct::MatrixProduct(MatrixProduct&&) noexcept = default;

void MatrixProduct::run(const void* x, const void* weights, const void* bias, void* y, void* workspace,
                        kernels::Stream stream) {
  impl_->convolution.run(x, weights, bias, nullptr, y, workspace, stream);
}

int64_t MatrixProduct::workspace_bytes() const { return impl_->convolution.workspace_bytes(); }
const std::string& MatrixProduct::algorithm() const { return impl_->algorithm; }

}  // namespace tyto::cuda

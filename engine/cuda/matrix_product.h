// A linear layer: a matrix product with its epilogue, planned once and run many times.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/cuda/convolution.h"

namespace tyto::cuda {

struct MatrixProductSpec {
  Precision precision = Precision::Fp32;
  int64_t rows = 0, inputs = 0, outputs = 0;
  bool bias = false, relu = false;

  auto operator<=>(const MatrixProductSpec&) const = default;
};

// y = relu?(x weights^T + bias?)
class MatrixProduct {
 public:
  MatrixProduct(Libraries& libraries, const MatrixProductSpec& spec);  // Error{Unsupported}
  ~MatrixProduct();
  MatrixProduct(MatrixProduct&&) noexcept;

  // All of activation_type(precision), dense, 16-byte aligned: x [rows, inputs], weights [outputs, inputs],
  // bias [outputs] (null where the spec has none), y [rows, outputs]. As Convolution::run.
  void run(const void* x, const void* weights, const void* bias, void* y, void* workspace,
           kernels::Stream stream);

  int64_t workspace_bytes() const;
  const std::string& algorithm() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tyto::cuda

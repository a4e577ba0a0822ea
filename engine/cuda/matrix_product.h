// A product of matrices, or a batch of them, with its epilogue: planned once and run many times.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/cuda/convolution.h"

namespace tyto::cuda {

// How the matrices of an operand lie, row-major, in elements.
struct MatrixStrides {
  int64_t row = 0;   // from a row to the next; 0: they stand one behind the other
  int64_t item = 0;  // from an item of the batch to the next; 0: all read the same

  auto operator<=>(const MatrixStrides&) const = default;
};

// [rows, inputs] times [inputs, outputs]. Sums are kept in fp32; fp32 multiplies in fp32 (no tensor cores).
struct MatrixProductSpec {
  Precision precision = Precision::Fp32;
  int64_t rows = 0, inputs = 0, outputs = 0;
  int64_t batch = 1;
  bool transpose_a = false;  // a lies as [inputs, rows]
  bool transpose_b = false;  // b lies as [outputs, inputs], as the weights of a linear layer do
  MatrixStrides a, b, y;     // those of y may interleave, not overlap
  float scale = 1;
  bool f32_result = false;          // y is F32 whatever the precision
  bool bias = false, relu = false;  // of a batch of one

  auto operator<=>(const MatrixProductSpec&) const = default;
};

inline DType result_type(const MatrixProductSpec& s) {
  return s.f32_result ? DType::F32 : activation_type(s.precision);
}

// An operand as it lies in memory: batch times [rows, columns].
struct StoredMatrices {
  int64_t batch, rows, columns, row_stride, item_stride;

  int64_t elements() const {  // from the first to the last
    return (batch - 1) * item_stride + (rows - 1) * row_stride + columns;
  }
};

inline StoredMatrices stored(const MatrixProductSpec& s, int64_t rows, int64_t columns,
                             const MatrixStrides& strides) {
  return {s.batch, rows, columns, strides.row == 0 ? columns : strides.row, strides.item};
}
inline StoredMatrices stored_a(const MatrixProductSpec& s) {
  return s.transpose_a ? stored(s, s.inputs, s.rows, s.a) : stored(s, s.rows, s.inputs, s.a);
}
inline StoredMatrices stored_b(const MatrixProductSpec& s) {
  return s.transpose_b ? stored(s, s.outputs, s.inputs, s.b) : stored(s, s.inputs, s.outputs, s.b);
}
inline StoredMatrices stored_y(const MatrixProductSpec& s) { return stored(s, s.rows, s.outputs, s.y); }

// y[i] = relu?(scale * op(a[i]) op(b[i]) + bias?) for every i of the batch, where op transposes or does not.
// An item has the same bits whatever its place in the batch and whatever stands beside it.
class MatrixProduct {
 public:
  MatrixProduct(Libraries& libraries, const MatrixProductSpec& spec);  // Error{Unsupported}
  ~MatrixProduct();
  MatrixProduct(MatrixProduct&&) noexcept;

  // a and b of activation_type(precision), y and bias [outputs] (null where the spec has none) of
  // result_type(spec), laid as the spec says, 16-byte aligned. As Convolution::run.
  void run(const void* a, const void* b, const void* bias, void* y, void* workspace, kernels::Stream stream);

  int64_t workspace_bytes() const;
  const std::string& algorithm() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tyto::cuda

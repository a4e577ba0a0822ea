// A dense array of doubles, [N, C, H, W] or of another rank.
#pragma once

#include <utility>
#include <vector>

#include "tyto/tensor.h"

namespace tyto {

struct Array {
  Shape shape;
  std::vector<double> values;

  double& at(int64_t n, int64_t c, int64_t y, int64_t x) {
    return values[static_cast<size_t>(((n * shape[1] + c) * shape[2] + y) * shape[3] + x)];
  }
  double at(int64_t n, int64_t c, int64_t y, int64_t x) const {
    return const_cast<Array*>(this)->at(n, c, y, x);
  }
};

inline Array zeros(const Shape& shape) {
  return {shape, std::vector<double>(static_cast<size_t>(shape.elements()))};
}

inline Array array_of(const Tensor& t) {
  if (t.dtype() == DType::I32) return {t.shape(), {t.as<int32_t>().begin(), t.as<int32_t>().end()}};
  const Tensor f = t.to_f32();
  const auto values = std::as_const(f).as<float>();
  return {t.shape(), {values.begin(), values.end()}};
}

}  // namespace tyto

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

// Calls f(n, c, i, j) for every element of [N, C, H, W].
template <class F>
void for_each_element(const Shape& shape, const F& f) {
  for (int64_t n = 0; n < shape[0]; ++n)
    for (int64_t c = 0; c < shape[1]; ++c)
      for (int64_t i = 0; i < shape[2]; ++i)
        for (int64_t j = 0; j < shape[3]; ++j) f(n, c, i, j);
}

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

// A dense array of doubles, [N, C, H, W] or of another rank.
#pragma once

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

}  // namespace tyto

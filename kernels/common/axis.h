// An array as a kernel sees it that works along one of its dimensions.
#pragma once

#include <cstdint>

namespace tyto::kernels {

// The sizes before the dimension, of the dimension and behind it: [outer, size, inner], densely packed.
struct Axis {
  int64_t outer = 1, size = 1, inner = 1;

  int64_t elements() const { return outer * size * inner; }
};

}  // namespace tyto::kernels

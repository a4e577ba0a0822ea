// The choice of sample_order.h on the CPU.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tyto::kernels {

// The `wanted` smallest of some keys, or all, are those less than this. They come to
// the front.
inline uint64_t end_of_sample(uint64_t* keys, int64_t count, int64_t wanted) {
  if (wanted >= count) return ~uint64_t{0};
  std::nth_element(keys, keys + wanted, keys + count);
  return keys[wanted];
}

}  // namespace tyto::kernels

// Sums over a warp, always in the same order.
#pragma once

#include "kernels/common/cuda.h"

namespace tyto::kernels {

inline constexpr int kWarp = 32;
inline constexpr unsigned kFullWarp = 0xffffffffu;

// Every lane of the warp calls this and gets the same bits: each step adds the same two numbers on both
// sides.
template <class T>
__device__ inline T warp_sum(T v) {
#pragma unroll
  for (int distance = kWarp / 2; distance > 0; distance /= 2) v += __shfl_xor_sync(kFullWarp, v, distance);
  return v;
}

}  // namespace tyto::kernels

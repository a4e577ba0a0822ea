// Reductions over a warp, always in the same order.
#pragma once

#include <cmath>

#include "kernels/common/cuda.h"

namespace tyto::kernels {

inline constexpr int kWarp = 32;
inline constexpr unsigned kFullWarp = 0xffffffffu;

// What combines two values, and what a reduction starts from.
struct Plus {
  static constexpr float kStart = 0;
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Larger {  // NaN wins, as in torch
  static constexpr float kStart = -INFINITY;
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};

// Every lane of the warp calls this and gets the same bits: each step combines the same two numbers on both
// sides.
template <class Combine, class T>
__device__ inline T warp_reduce(T v) {
#pragma unroll
  for (int distance = kWarp / 2; distance > 0; distance /= 2)
    v = Combine{}(v, __shfl_xor_sync(kFullWarp, v, distance));
  return v;
}
template <class T>
__device__ inline T warp_sum(T v) {
  return warp_reduce<Plus>(v);
}

}  // namespace tyto::kernels

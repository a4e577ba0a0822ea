// Boxes of C in and out of device memory, 16 bytes at once.
#pragma once

#include <array>

#include "kernels/common/elements.cuh"
#include "kernels/detection/iou.h"

namespace tyto::kernels {

// Four numbers, both aligned to 16 bytes.
template <class C>
__device__ inline void copy_four(const C* from, C* to) {
  using Part = Pack<C, kPack<C>>;
#pragma unroll
  for (int k = 0; k < 4 / kPack<C>; ++k)
    copy_pack(reinterpret_cast<const Part*>(from)[k], reinterpret_cast<Part*>(to)[k]);
}

// Row `row` of `from`.
template <class C>
__device__ inline BoxOf<C> load_corners(const C* from, int64_t row) {
  Pack<C, 4> corners;
  copy_four(from + 4 * row, corners.values);
  return {corners.values[0], corners.values[1], corners.values[2], corners.values[3]};
}

template <class C>
__device__ inline void store_four(const std::array<C, 4>& from, C* to, int64_t row) {
  const Pack<C, 4> pack = {{from[0], from[1], from[2], from[3]}};
  copy_four(pack.values, to + 4 * row);
}

template <class C>
__device__ inline std::array<C, 4> four_of(C v) {
  return {v, v, v, v};
}

}  // namespace tyto::kernels

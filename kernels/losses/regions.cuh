// Boxes of C in and out of device memory, four numbers at once.
#pragma once

#include <array>

#include "kernels/common/elements.cuh"
#include "kernels/detection/iou.h"

namespace tyto::kernels {

// Row `row` of `from`, which is aligned to four of C.
template <class C>
__device__ inline BoxOf<C> load_corners(const C* from, int64_t row) {
  Pack<C, 4> pack;
  copy_pack(reinterpret_cast<const Pack<C, 4>*>(from)[row], pack);
  return {pack.values[0], pack.values[1], pack.values[2], pack.values[3]};
}

template <class C>
__device__ inline void store_four(const std::array<C, 4>& from, C* to, int64_t row) {
  const Pack<C, 4> pack = {{from[0], from[1], from[2], from[3]}};
  copy_pack(pack, reinterpret_cast<Pack<C, 4>*>(to)[row]);
}

template <class C>
__device__ inline std::array<C, 4> four_of(C v) {
  return {v, v, v, v};
}

}  // namespace tyto::kernels

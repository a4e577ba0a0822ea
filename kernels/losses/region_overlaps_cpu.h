// The best object of each of some boxes. Of target creators' own use.
#pragma once

#include <cstdint>

#include "kernels/detection/iou.h"

namespace tyto::kernels {

inline constexpr int64_t kRegionChunk = 512;  // boxes that one thread takes at a time

// overlaps [n] of an object with boxes [n, stride], n up to kRegionChunk
template <class C>
void overlaps_cpu(const BoxOf<C>& object, const C* boxes, int64_t stride, int64_t n, C* overlaps);

// Objects are presented in their order; the first of the best stays.
//   best     [n]  begins as 0
//   objects  [n]  begins as 0
template <class C>
void keep_best_cpu(const C* overlaps, int32_t object, int64_t n, C* best, int32_t* objects);

}  // namespace tyto::kernels

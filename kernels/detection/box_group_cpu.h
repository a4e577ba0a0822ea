// Boxes that the CPU works on side by side, in vector registers.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/detection/boxes_math.h"

namespace tyto::kernels {

inline constexpr int64_t kBoxGroup = 16;  // a cache line of each of their numbers

using GroupRows = float[4 * kBoxGroup];  // four numbers a box

// references: corners
void decode_from_corners(const float* offsets, const float* references, const BoxCoding&, GroupRows& boxes);
// references: centre x, centre y, width, height
void decode_from_centres(const float* offsets, const float* references, const BoxCoding&, GroupRows& boxes);
void clip_boxes(float width, float height, GroupRows& boxes);

// The rows of `members` boxes; a copy in `whole` where they are not a whole group.
inline const float* whole_group(const float* rows, int64_t members, GroupRows& whole) {
  if (members == kBoxGroup) return rows;
  std::copy_n(rows, 4 * members, whole);
  std::fill(whole + 4 * members, whole + 4 * kBoxGroup, 0.0f);
  return whole;
}

}  // namespace tyto::kernels

// Boxes in and out of device memory, 16 bytes at once.
#pragma once

#include "kernels/common/elements.cuh"
#include "kernels/detection/boxes_math.h"

namespace tyto::kernels {

// All addresses are aligned to 16 bytes.
__device__ inline Box load_box(const float* from) {
  float corners[4];
  load(from, corners);
  return {corners[0], corners[1], corners[2], corners[3]};
}

__device__ inline void store(const Box& box, float* to) {
  const float corners[4] = {box.x1, box.y1, box.x2, box.y2};
  store(corners, to);
}

__device__ inline void store(const Offsets& offsets, float* to) {
  const float values[4] = {offsets.x, offsets.y, offsets.log_width, offsets.log_height};
  store(values, to);
}

// Row `image` of `sizes`.
__device__ inline ImageSizes load_sizes(const float* sizes, unsigned image) {
  float row[kSizesRow];
  load(sizes + int64_t{kSizesRow} * image, row);
  return {row[0], row[1], row[2], row[3]};
}

}  // namespace tyto::kernels

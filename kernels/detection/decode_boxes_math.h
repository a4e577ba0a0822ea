// One box of decode_boxes.h, the same bits on CPU and CUDA (no multiply-add is fused). In two halves, because
// the CPU takes the exponentials of many boxes at once.
#pragma once

#include <algorithm>

#include "kernels/common/host_device.h"
#include "kernels/detection/decode_boxes.h"

namespace tyto::kernels {

// The logarithms of width and height in those of the anchor.
TYTO_HOST_DEVICE inline void log_sizes(const float* offsets, const DecodeBoxes& params, float* logs) {
  // A NaN stays one: std::min returns its first argument unless the second is smaller.
  for (int axis = 0; axis < 2; ++axis)
    logs[axis] = std::min(offsets[axis + 2] * params.variance[axis + 2], params.max_log_size);
}

// The box whose width and height are `sizes` times the anchor's.
TYTO_HOST_DEVICE inline void place_box(const float* offsets, const float* anchor, const float* sizes,
                                       const DecodeBoxes& params, float* box) {
  const float extent[2] = {params.width, params.height};
  for (int axis = 0; axis < 2; ++axis) {
    const float centre = anchor[axis] + offsets[axis] * params.variance[axis] * anchor[axis + 2];
    const float size = anchor[axis + 2] * sizes[axis];
    const float low = centre - 0.5f * size, high = centre + 0.5f * size;
    box[axis] = params.clip ? std::clamp(low, 0.0f, extent[axis]) : low;
    box[axis + 2] = params.clip ? std::clamp(high, 0.0f, extent[axis]) : high;
  }
}

}  // namespace tyto::kernels

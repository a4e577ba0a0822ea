#include "kernels/detection/decode_boxes.h"

#include <algorithm>
#include <cmath>

namespace tyto::kernels {

void decode_boxes_cpu(const float* offsets, const float* anchors, int64_t n, int64_t count,
                      const DecodeBoxes& params, float* boxes) {
  const float extent[2] = {params.width, params.height};
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < n * count; ++i) {
    const float *d = offsets + 4 * i, *a = anchors + 4 * (i % count);
    float* box = boxes + 4 * i;
    for (int axis = 0; axis < 2; ++axis) {
      const float centre = a[axis] + d[axis] * params.variance[axis] * a[axis + 2];
      const float exponent = d[axis + 2] * params.variance[axis + 2];
      // A NaN stays one: std::min returns its first argument unless the second is smaller.
      const float size = a[axis + 2] * std::exp(std::min(exponent, params.max_log_size));
      box[axis] = centre - 0.5f * size;
      box[axis + 2] = centre + 0.5f * size;
      if (!params.clip) continue;
      box[axis] = std::clamp(box[axis], 0.0f, extent[axis]);
      box[axis + 2] = std::clamp(box[axis + 2], 0.0f, extent[axis]);
    }
  }
}

}  // namespace tyto::kernels

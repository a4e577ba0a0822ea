#include <algorithm>

#include "kernels/detection/box_group_cpu.h"
#include "kernels/detection/decode_boxes.h"

namespace tyto::kernels {

void decode_boxes_cpu(const float* offsets, const float* anchors, int64_t n, int64_t count,
                      const DecodeBoxes& params, float* boxes) {
  const int64_t groups = (count + kBoxGroup - 1) / kBoxGroup;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t image = 0; image < n; ++image)
    for (int64_t g = 0; g < groups; ++g) {
      const int64_t first = g * kBoxGroup, members = std::min(kBoxGroup, count - first);
      const int64_t at = 4 * (image * count + first);
      GroupRows whole_offsets, whole_anchors, decoded;
      decode_from_centres(whole_group(offsets + at, members, whole_offsets),
                          whole_group(anchors + 4 * first, members, whole_anchors), params.coding, decoded);
      if (params.clip) clip_boxes(params.width, params.height, decoded);
      std::copy_n(decoded, 4 * members, boxes + at);
    }
}

}  // namespace tyto::kernels

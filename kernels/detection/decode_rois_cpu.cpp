#include <algorithm>

#include "kernels/detection/box_group_cpu.h"
#include "kernels/detection/decode_rois_math.h"

namespace tyto::kernels {

void decode_rois_cpu(const float* offsets, const Rois& rois, const float* sizes, int64_t classes,
                     const DecodeRois& params, float* boxes) {
  const int64_t of_roi = classes - 1, of_image = rois.capacity * of_roi;
  const int64_t groups = (of_image + kBoxGroup - 1) / kBoxGroup;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t image = 0; image < rois.n; ++image)
    for (int64_t g = 0; g < groups; ++g) {
      const int64_t there = rois.counts ? rois.counts[image] * of_roi : of_image;
      const int64_t first = g * kBoxGroup, end = std::min(first + kBoxGroup, of_image);
      const int64_t members = std::clamp(there, first, end) - first;
      float* to = boxes + 4 * (image * of_image + first);
      std::fill(to + 4 * members, to + 4 * (end - first), 0.0f);
      if (members == 0) continue;
      GroupRows group_offsets = {}, regions = {}, decoded;
      for (int64_t i = 0; i < members; ++i) {
        const int64_t roi = image * rois.capacity + (first + i) / of_roi, label = (first + i) % of_roi + 1;
        std::copy_n(offsets + 4 * (roi * classes + label), 4, group_offsets + 4 * i);
        std::copy_n(rois.rows + roi * rois.stride, 4, regions + 4 * i);
      }
      decode_from_corners(group_offsets, regions, params.coding, decoded);
      const float* row = sizes + image * kSizesRow;
      const Extent extent = extent_of({row[0], row[1], row[2], row[3]}, params);
      clip_boxes(extent.width, extent.height, decoded);
      std::copy_n(decoded, 4 * members, to);
    }
}

}  // namespace tyto::kernels

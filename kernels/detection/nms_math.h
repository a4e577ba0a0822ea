// What the selection on CPU and CUDA shares: its limits, and the judgements about a box or two, which have
// the same bits on both (no multiply-add is fused).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/common/host_device.h"
#include "kernels/detection/iou.h"
#include "kernels/detection/nms.h"

namespace tyto::kernels {

inline int64_t limited(int64_t count, int limit) {
  return limit > 0 ? std::min<int64_t>(count, limit) : count;
}

// Boxes that suppression leaves of a class of one image.
inline int64_t most_per_class(const Nms& p, int64_t count) {
  return limited(limited(count, p.top_k), p.max_per_class);
}

TYTO_HOST_DEVICE inline bool is_finite(const Box& b) {
  return std::isfinite(b.x1) && std::isfinite(b.y1) && std::isfinite(b.x2) && std::isfinite(b.y2);
}

TYTO_HOST_DEVICE inline bool suppresses(const Box& kept, const Box& candidate, const Nms& p) {
  const float overlap = iou(kept, candidate);
  return overlap > p.iou_threshold || (p.empty_union == EmptyUnion::Drop && std::isnan(overlap));
}

// The part of the box that may be shown.
TYTO_HOST_DEVICE inline Box clipped(const Box& b, const Nms& p) {
  if (!p.clip) return b;
  return {std::clamp(b.x1, 0.0f, p.width), std::clamp(b.y1, 0.0f, p.height), std::clamp(b.x2, 0.0f, p.width),
          std::clamp(b.y2, 0.0f, p.height)};
}

TYTO_HOST_DEVICE inline bool is_shown(const Box& b, const Nms& p) {
  return !p.clip || area(clipped(b, p)) > 0;
}

TYTO_HOST_DEVICE inline void write_detection(const Box& b, float score, int32_t label, const Nms& p,
                                             float* row) {
  const Box shown = clipped(b, p);
  row[0] = shown.x1 * p.scale_x;
  row[1] = shown.y1 * p.scale_y;
  row[2] = shown.x2 * p.scale_x;
  row[3] = shown.y2 * p.scale_y;
  row[4] = score + 0.0f;  // turns -0 into +0
  row[5] = static_cast<float>(label);
}

// A row behind the last has this in a column.
TYTO_HOST_DEVICE inline float nothing(int64_t column) { return column == kDetectionRow - 1 ? -1.0f : 0.0f; }

}  // namespace tyto::kernels

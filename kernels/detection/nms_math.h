// The judgements about a box or two that the selection on CPU and CUDA shares: the same bits on both (no
// multiply-add is fused).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/common/exponential.h"
#include "kernels/common/host_device.h"
#include "kernels/detection/iou.h"
#include "kernels/detection/nms.h"

namespace tyto::kernels {

TYTO_HOST_DEVICE inline bool is_finite(const Box& b) {
  return std::isfinite(b.x1) && std::isfinite(b.y1) && std::isfinite(b.x2) && std::isfinite(b.y2);
}

TYTO_HOST_DEVICE inline float one_of(const Nms& p) { return p.plus_one ? 1.0f : 0.0f; }

TYTO_HOST_DEVICE inline bool is_small(const Box& b, const Nms& p) {
  const float one = one_of(p);
  return p.min_size > 0 && (b.x2 - b.x1 + one < p.min_size || b.y2 - b.y1 + one < p.min_size);
}

// Without a branch, so that compilers compare with several boxes at once.
TYTO_HOST_DEVICE inline bool suppresses(const Box& kept, const Box& candidate, const Nms& p) {
  const float overlap = iou(kept, candidate, one_of(p));
  const bool drops_empty = p.empty_union == EmptyUnion::Drop, drops_equal = p.rule == Suppress::GreaterEqual;
  return static_cast<bool>((overlap > p.iou_threshold) | (drops_equal & (overlap == p.iou_threshold)) |
                           (drops_empty & (overlap != overlap)));
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

// The score of a row. The sigmoid never falls where its argument rises (tried for every float), so that a
// list that is sorted by logits is sorted by it.
TYTO_HOST_DEVICE inline float shown_score(float score, const Nms& p) {
  return p.sigmoid ? 1.0f / (1.0f + exponential(-score)) : score;
}

TYTO_HOST_DEVICE inline void write_detection(const Box& b, float score, int32_t label, const Nms& p,
                                             float* row) {
  const Box shown = clipped(b, p);
  row[0] = shown.x1 * p.scale_x;
  row[1] = shown.y1 * p.scale_y;
  row[2] = shown.x2 * p.scale_x;
  row[3] = shown.y2 * p.scale_y;
  row[4] = score;
  row[5] = static_cast<float>(label);
}

// A row behind the last has this in a column.
TYTO_HOST_DEVICE inline float nothing(int64_t column) { return column == kDetectionRow - 1 ? -1.0f : 0.0f; }

}  // namespace tyto::kernels

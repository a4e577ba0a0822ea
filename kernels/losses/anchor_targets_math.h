// The arithmetic of anchor_targets.h, the same bits on CPU and CUDA.
#pragma once

#include "kernels/losses/anchor_targets.h"
#include "kernels/losses/region_targets_math.h"
#include "kernels/losses/sample_order_math.h"

namespace tyto::kernels {

template <class C>
struct AnchorRules {
  C positive_iou, negative_iou;

  explicit AnchorRules(const AnchorTargets& o)
      : positive_iou(static_cast<C>(o.positive_iou)), negative_iou(static_cast<C>(o.negative_iou)) {}
};

template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline bool is_within(const BoxOf<C>& anchor, C height, C width) {
  return anchor.x1 >= 0 && anchor.y1 >= 0 && anchor.x2 <= width && anchor.y2 <= height && is_finite(anchor);
}

// Before sampling. `forced`: its overlap with some object is that object's best.
template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline int32_t anchor_label(C best, bool forced,
                                                                    const AnchorRules<C>& rules) {
  if (forced || best >= rules.positive_iou) return 1;
  return best < rules.negative_iou ? 0 : -1;
}

// How many positive anchors may stay.
inline int64_t positives_of(const AnchorTargets& o) {
  return static_cast<int64_t>(o.samples * o.positive_share);
}

}  // namespace tyto::kernels

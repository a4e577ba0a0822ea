// The arithmetic of proposal_targets.h, the same bits on CPU and CUDA.
#pragma once

#include <cmath>

#include "kernels/losses/proposal_targets.h"
#include "kernels/losses/region_targets_math.h"
#include "kernels/losses/sample_order_math.h"

namespace tyto::kernels {

template <class C>
struct RegionRules {
  C positive_iou, negative_below, negative_from;
  C mean[4], deviation[4];

  explicit RegionRules(const ProposalTargets& o)
      : positive_iou(static_cast<C>(o.positive_iou)),
        negative_below(static_cast<C>(o.negative_below)),
        negative_from(static_cast<C>(o.negative_from)) {
    for (size_t k = 0; k < 4; ++k) {
      mean[k] = static_cast<C>(o.mean[k]);
      deviation[k] = static_cast<C>(o.deviation[k]);
    }
  }
};

// How many regions of an image are there; joins a fault to `fault`.
template <class C>
TYTO_HOST_DEVICE inline int64_t regions_there(const ProposedRegions<C>& regions, int64_t image,
                                              LossStatus& fault) {
  if (regions.counts == nullptr) return regions.capacity;
  const int64_t count = regions.counts[image];
  if (count >= 0 && count <= regions.capacity) return count;
  fault = std::max(fault, loss_status(LossFault::Label, LossInput::Rois, image * regions.capacity));
  return count < 0 ? 0 : regions.capacity;
}

enum class RegionKind : int32_t { Neither = -1, Negative, Positive };

template <class C>
TYTO_HOST_DEVICE inline RegionKind region_kind(C best, bool has_objects, const RegionRules<C>& rules) {
  if (!has_objects) return RegionKind::Negative;
  if (best >= rules.positive_iou) return RegionKind::Positive;
  return best < rules.negative_below && best >= rules.negative_from ? RegionKind::Negative
                                                                    : RegionKind::Neither;
}

template <class C>
TYTO_HOST_DEVICE inline std::array<C, 4> region_target(const BoxOf<C>& region, const BoxOf<C>& object,
                                                       const RegionRules<C>& rules) {
  std::array<C, 4> offsets = offsets_to(region, object);
  for (size_t k = 0; k < 4; ++k) offsets[k] = (offsets[k] - rules.mean[k]) / rules.deviation[k];
  return offsets;
}

// How many positive regions may be taken.
inline int64_t positives_of(const ProposalTargets& o) {
  return static_cast<int64_t>(std::nearbyint(o.samples * o.positive_share));
}

}  // namespace tyto::kernels

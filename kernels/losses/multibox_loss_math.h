// The arithmetic of multibox_loss.h.
#pragma once

#include "kernels/losses/multibox_loss.h"

namespace tyto::kernels {

// positives [batch], from mining.
TYTO_HOST_DEVICE inline int64_t normalizer_share(MultiboxNormalizer rule, int32_t positives) {
  return rule == MultiboxNormalizer::PositivesOrOneAnImage && positives < 1 ? 1 : positives;
}
TYTO_HOST_DEVICE inline int64_t normalizer_of(MultiboxNormalizer rule, int64_t shares) {
  return rule == MultiboxNormalizer::PositivesOrOne && shares < 1 ? 1 : shares;
}

template <class C>
TYTO_HOST_DEVICE inline C smooth_l1(C d) {
  const C size = d < 0 ? -d : d;
  return size < 1 ? d * d / 2 : size - C{0.5};
}
template <class C>
TYTO_HOST_DEVICE inline C smooth_l1_slope(C d) {
  return d < -1 ? C{-1} : d > 1 ? C{1} : d;
}

// How often the cross entropy of a selected row counts.
TYTO_HOST_DEVICE inline int row_weight(uint8_t selected, Mining rule) {
  return rule != Mining::SsdPytorch && selected == (kPositiveRow | kMinedRow) ? 2 : 1;
}

// A fault after which nothing of the result stands.
TYTO_HOST_DEVICE inline bool is_fatal(LossStatus found) {
  return static_cast<LossFault>(found >> 56) > LossFault::Box;
}

// What matching found, and mining, which meets again the labels that matching could not give.
TYTO_HOST_DEVICE inline LossStatus both_found(LossStatus matching, LossStatus mining) {
  return is_fatal(matching) || matching > mining ? matching : mining;
}

}  // namespace tyto::kernels

// An anchor of the batch-hard triplet loss.
#pragma once

#include "kernels/losses/anchor_loss.h"
#include "kernels/losses/batch_hard_triplet.h"

namespace tyto::kernels {

inline constexpr PairwiseFrame kBatchHardFrame{.measure = PairMeasure::Distance, .rows = {.unit = false}};

// AGW's shortest distance, below which no gradient goes.
template <class C>
inline constexpr C kShortest = static_cast<C>(1e-6);

template <class C>
TYTO_HOST_DEVICE inline C at_least_shortest(C distance) {
  return distance < kShortest<C> ? kShortest<C> : distance;
}

template <class C>
struct BatchHardRule : AnchorRule {
  static constexpr bool kHardest = true, kSelfIsPositive = true;
  using Sums = NoSums;
  using Totals = AnchorMean;
  struct Factors {
    C each = 0;
    int32_t farthest_at = -1, closest_at = -1;
  };
  C margin;

  explicit BatchHardRule(const BatchHardTripletLoss& o) : margin(static_cast<C>(o.margin)) {}

  TYTO_HOST_DEVICE C excess(const Anchor<C, Sums>& a) const {
    return at_least_shortest(a.hardest.farthest) - at_least_shortest(a.hardest.closest) + margin;
  }
  TYTO_HOST_DEVICE Totals totals_of(const Anchor<C, Sums>& a) const {
    if (a.hardest.closest_at < 0) return {};
    const C v = excess(a);
    return {.sum = v <= 0 ? 0.0 : static_cast<double>(v), .anchors = 1};  // NaN stays
  }
  TYTO_HOST_DEVICE double value(const Totals& t) const {
    return t.anchors == 0 ? 0 : t.sum / static_cast<double>(t.anchors);
  }
  TYTO_HOST_DEVICE Factors factors(const Anchor<C, Sums>& a, const Totals& t) const {
    const HardestPairs<C>& h = a.hardest;
    if (h.closest_at < 0 || excess(a) <= 0) return {};
    return {1 / static_cast<C>(t.anchors), h.farthest < kShortest<C> ? -1 : h.farthest_at,
            h.closest < kShortest<C> ? -1 : h.closest_at};
  }
  TYTO_HOST_DEVICE C slope(const Factors& f, C, PairKind, int32_t j) const {
    return j == f.farthest_at ? f.each : j == f.closest_at ? -f.each : C{0};
  }
};

}  // namespace tyto::kernels

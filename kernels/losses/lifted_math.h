// An anchor of the generalised lifted structure loss.
#pragma once

#include "kernels/losses/anchor_loss.h"
#include "kernels/losses/lifted.h"
#include "kernels/losses/real_functions.h"

namespace tyto::kernels {

inline constexpr PairwiseFrame kLiftedFrame{.measure = PairMeasure::Distance};

// Of exponentials beside the hardest pair's, which are at most 1.
template <class C>
struct LiftedSums {
  C positive = 0, negative = 0;

  TYTO_HOST_DEVICE void join(const LiftedSums& other) {
    positive += other.positive;
    negative += other.negative;
  }
};

template <class C>
struct LiftedRule : AnchorRule {
  static constexpr bool kHardest = true;
  using Sums = LiftedSums<C>;
  using Totals = AnchorMean;
  struct Factors {
    C positive, negative, farthest, closest;
  };
  C positive_margin, negative_margin;

  explicit LiftedRule(const LiftedLoss& o)
      : positive_margin(static_cast<C>(o.positive_margin)),
        negative_margin(static_cast<C>(o.negative_margin)) {}

  TYTO_HOST_DEVICE void add(const Anchor<C, Sums>& a, C distance, PairKind kind, Sums& sums) const {
    if (kind == PairKind::Positive)
      sums.positive += exp_of(distance - a.hardest.farthest);
    else
      sums.negative += exp_of(a.hardest.closest - distance);
  }
  // A + B.
  TYTO_HOST_DEVICE C sum_of(const Anchor<C, Sums>& a) const {
    const HardestPairs<C>& h = a.hardest;
    return (h.farthest_at < 0 ? C{0} : h.farthest - positive_margin + log_of(a.sums.positive)) +
           (h.closest_at < 0 ? C{0} : negative_margin - h.closest + log_of(a.sums.negative));
  }
  TYTO_HOST_DEVICE Totals totals_of(const Anchor<C, Sums>& a) const {
    const C sum = sum_of(a);
    return {.sum = sum > 0 ? static_cast<double>(sum) : 0.0, .anchors = 1};
  }
  TYTO_HOST_DEVICE double value(const Totals& t) const {
    return t.anchors == 0 ? 0 : t.sum / static_cast<double>(t.anchors);
  }
  TYTO_HOST_DEVICE Factors factors(const Anchor<C, Sums>& a, const Totals& t) const {
    if (!(sum_of(a) > 0)) return {};
    const C each = 1 / static_cast<C>(t.anchors);
    return {a.hardest.farthest_at < 0 ? C{0} : each / a.sums.positive,
            a.hardest.closest_at < 0 ? C{0} : -each / a.sums.negative, a.hardest.farthest, a.hardest.closest};
  }
  TYTO_HOST_DEVICE C slope(const Factors& f, C distance, PairKind kind, int32_t) const {
    if (kind == PairKind::Positive && f.positive != 0) return f.positive * exp_of(distance - f.farthest);
    if (kind == PairKind::Negative && f.negative != 0) return f.negative * exp_of(f.closest - distance);
    return 0;
  }
};

}  // namespace tyto::kernels

// A pair of the contrastive loss.
#pragma once

#include "kernels/losses/anchor_loss.h"
#include "kernels/losses/contrastive.h"

namespace tyto::kernels {

inline constexpr PairwiseFrame kContrastiveFrame{.measure = PairMeasure::Distance};

// Terms that are not 0, and how many.
template <class Sum, class Count>
struct ContrastiveSums {
  Sum positive = 0, negative = 0;
  Count positives = 0, negatives = 0;

  template <class Other>
  TYTO_HOST_DEVICE void join(const Other& other) {
    positive += other.positive;
    negative += other.negative;
    positives += other.positives;
    negatives += other.negatives;
  }
};

template <class C>
struct ContrastiveRule : AnchorRule {
  using Sums = ContrastiveSums<C, int32_t>;
  using Totals = ContrastiveSums<double, int64_t>;
  struct Factors {
    C positive, negative;
  };
  C positive_margin, negative_margin;

  explicit ContrastiveRule(const ContrastiveLoss& o)
      : positive_margin(static_cast<C>(o.positive_margin)),
        negative_margin(static_cast<C>(o.negative_margin)) {}

  TYTO_HOST_DEVICE void add(const Anchor<C, Sums>&, C distance, PairKind kind, Sums& sums) const {
    if (kind == PairKind::Positive && distance > positive_margin) {
      sums.positive += distance - positive_margin;
      ++sums.positives;
    }
    if (kind == PairKind::Negative && distance < negative_margin) {
      sums.negative += negative_margin - distance;
      ++sums.negatives;
    }
  }
  TYTO_HOST_DEVICE Totals totals_of(const Anchor<C, Sums>& a) const {
    Totals totals;
    totals.join(a.sums);
    return totals;
  }
  TYTO_HOST_DEVICE double value(const Totals& t) const {
    return (t.positives == 0 ? 0 : t.positive / static_cast<double>(t.positives)) +
           (t.negatives == 0 ? 0 : t.negative / static_cast<double>(t.negatives));
  }
  TYTO_HOST_DEVICE Factors factors(const Anchor<C, Sums>&, const Totals& t) const {
    return {t.positives == 0 ? C{0} : 1 / static_cast<C>(t.positives),
            t.negatives == 0 ? C{0} : -1 / static_cast<C>(t.negatives)};
  }
  TYTO_HOST_DEVICE C slope(const Factors& f, C distance, PairKind kind, int32_t) const {
    if (kind == PairKind::Positive) return distance > positive_margin ? f.positive : C{0};
    return kind == PairKind::Negative && distance < negative_margin ? f.negative : C{0};
  }
};

}  // namespace tyto::kernels

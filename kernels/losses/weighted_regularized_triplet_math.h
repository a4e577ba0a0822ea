// An anchor of the weighted regularised triplet loss.
#pragma once

#include <cmath>

#include "kernels/losses/batch_hard_triplet_math.h"
#include "kernels/losses/real_functions.h"
#include "kernels/losses/weighted_regularized_triplet.h"

namespace tyto::kernels {

// Of weights before they are divided, and of weighted distances.
template <class C>
struct WeightedSums {
  C positive = 0, positive_distance = 0, negative = 0, negative_distance = 0;

  TYTO_HOST_DEVICE void join(const WeightedSums& other) {
    positive += other.positive;
    positive_distance += other.positive_distance;
    negative += other.negative;
    negative_distance += other.negative_distance;
  }
};

template <class C>
struct WeightedRegularizedRule : AnchorRule {
  static constexpr bool kHardest = true, kSelfIsPositive = true;
  static constexpr C kEpsilon = static_cast<C>(1e-6);  // beside the sums of weights
  using Sums = WeightedSums<C>;
  using Totals = AnchorMean;
  struct Factors {
    C positive, negative;   // d value / d (mean distance) / (sum of weights)
    C near, far;            // the mean distances of negatives and positives
    C longest, of_longest;  // D, and d value / d D
    int32_t longest_at;
  };

  TYTO_HOST_DEVICE C longest(const Anchor<C, Sums>& a) const { return at_least_shortest(a.hardest.farthest); }
  TYTO_HOST_DEVICE void add(const Anchor<C, Sums>& a, C distance, PairKind kind, Sums& sums) const {
    const C d = at_least_shortest(distance);
    if (kind == PairKind::Positive) {
      const C weight = exp_of(d - longest(a));
      sums.positive += weight;
      sums.positive_distance += weight * d;
    } else {
      const C weight = exp_of(-d);
      sums.negative += weight;
      sums.negative_distance += weight * d;
    }
  }
  TYTO_HOST_DEVICE C far(const Sums& s) const { return s.positive_distance / (s.positive + kEpsilon); }
  TYTO_HOST_DEVICE C near(const Sums& s) const { return s.negative_distance / (s.negative + kEpsilon); }

  TYTO_HOST_DEVICE Totals totals_of(const Anchor<C, Sums>& a) const {
    const C x = far(a.sums) - near(a.sums);
    const C tail = std::log1p(exp_of(x > 0 ? -x : x));
    return {.sum = static_cast<double>(x > 0 ? x + tail : tail), .anchors = 1};
  }
  TYTO_HOST_DEVICE double value(const Totals& t) const { return t.sum / static_cast<double>(t.anchors); }
  TYTO_HOST_DEVICE Factors factors(const Anchor<C, Sums>& a, const Totals& t) const {
    const C f = far(a.sums), g = near(a.sums);
    const C slope = 1 / (1 + exp_of(g - f)) / static_cast<C>(t.anchors);
    const C positive = slope / (a.sums.positive + kEpsilon);
    return {.positive = positive,
            .negative = -slope / (a.sums.negative + kEpsilon),
            .near = g,
            .far = f,
            .longest = longest(a),
            .of_longest = -positive * f * kEpsilon,
            .longest_at = a.hardest.farthest_at};
  }
  TYTO_HOST_DEVICE C slope(const Factors& f, C d, PairKind kind, int32_t j) const {
    if (d < kShortest<C>) return 0;
    if (kind == PairKind::Negative) return f.negative * exp_of(-d) * (1 - d + f.near);
    return f.positive * exp_of(d - f.longest) * (1 + d - f.far) + (j == f.longest_at ? f.of_longest : C{0});
  }
};

}  // namespace tyto::kernels

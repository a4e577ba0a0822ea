// A pair of the circle loss, and sums of exponentials that never overflow.
#pragma once

#include <limits>

#include "kernels/losses/circle.h"
#include "kernels/losses/pairwise_loss.h"
#include "kernels/losses/real_functions.h"

namespace tyto::kernels {

template <class C>
struct CirclePair {
  C margin, gamma;

  explicit CirclePair(const CircleLoss& o)
      : margin(static_cast<C>(o.margin)), gamma(static_cast<C>(o.gamma)) {}

  // d logit / d s, through which the bracket sends no gradient.
  TYTO_HOST_DEVICE C slope(C s, bool same) const {
    const C bracket = same ? 1 + margin - s : s + margin;
    return bracket > 0 ? (same ? -gamma * bracket : gamma * bracket) : C{0};
  }
  TYTO_HOST_DEVICE C logit(C s, bool same) const {
    return slope(s, same) * (s - (same ? 1 - margin : margin));
  }
};

// sum of e^l = sum * e^largest; of nothing, sum is 0.
template <class C>
struct ExponentialSum {
  C largest = -std::numeric_limits<C>::infinity();
  C sum = 0;

  TYTO_HOST_DEVICE void join(const ExponentialSum& other) {
    if (other.sum == 0) return;
    const C top = largest > other.largest ? largest : other.largest;
    sum = (sum == 0 ? C{0} : sum * exp_of(largest - top)) + other.sum * exp_of(other.largest - top);
    largest = top;
  }
};

template <class C>
struct CircleSums {
  ExponentialSum<C> positive, negative;

  TYTO_HOST_DEVICE void join(const CircleSums& other) {
    positive.join(other.positive);
    negative.join(other.negative);
  }
};

// What the batch's sums make of the pairs: d value / d l = factor * e^(l - largest) of its kind.
template <class C>
struct CircleTotals {
  C value, positive_largest, negative_largest, positive_factor, negative_factor;
};

template <class C>
TYTO_HOST_DEVICE inline CircleTotals<C> circle_totals(const CircleSums<C>& s) {
  if (s.positive.sum == 0 || s.negative.sum == 0) return {};
  const C z = s.positive.largest + log_of(s.positive.sum) + s.negative.largest + log_of(s.negative.sum);
  const C e = exp_of(z > 0 ? -z : z);
  const C sigmoid = (z > 0 ? C{1} : e) / (1 + e);
  return {.value = (z > 0 ? z : C{0}) + log_of(1 + e),
          .positive_largest = s.positive.largest,
          .negative_largest = s.negative.largest,
          .positive_factor = sigmoid / s.positive.sum,
          .negative_factor = sigmoid / s.negative.sum};
}

// Numbers side by side, as lanes read them.
template <class C>
struct CircleMemory {
  C* rows;    // [4, n]  of each row's sums: positive largest and sum, negative largest and sum
  C* totals;  // [5]     CircleTotals

  CircleMemory(Workspace& workspace, int64_t n)
      : rows(workspace.take<C>(4 * n)), totals(workspace.take<C>(5)) {}
};

template <class C>
TYTO_HOST_DEVICE inline void write(const CircleSums<C>& s, int64_t i, int64_t n, C* rows) {
  rows[i] = s.positive.largest;
  rows[n + i] = s.positive.sum;
  rows[2 * n + i] = s.negative.largest;
  rows[3 * n + i] = s.negative.sum;
}
template <class C>
TYTO_HOST_DEVICE inline CircleSums<C> read(const C* rows, int64_t i, int64_t n) {
  return {{rows[i], rows[n + i]}, {rows[2 * n + i], rows[3 * n + i]}};
}

}  // namespace tyto::kernels

// The arithmetic of symmetric_kl.h. C is double or float.
#pragma once

#include "kernels/common/host_device.h"
#include "kernels/losses/real_functions.h"

namespace tyto::kernels {

// The shares of a class in both views, and r = log p - log q.
template <class C>
struct ViewShares {
  C p, q, r;

  // Of KL(p || q) + KL(q || p). Never negative, so that nothing is lost where views nearly agree.
  [[gnu::always_inline]] TYTO_HOST_DEVICE C both() const { return (p - q) * r; }

  // d (KL(p || q) + KL(q || p)) / d logit, of the first view and of the second.
  [[gnu::always_inline]] TYTO_HOST_DEVICE C first_slope(C p_to_q) const { return p * (r - p_to_q) + (p - q); }
  [[gnu::always_inline]] TYTO_HOST_DEVICE C second_slope(C q_to_p) const {
    return q * (-r - q_to_p) + (q - p);
  }
};

// A row of two views: of each the largest logit and the sum of e^(logit - largest).
template <class C>
struct ViewRow {
  C first_largest, first_by, second_largest, second_by;
  C log_ratio;

  [[gnu::always_inline]] TYTO_HOST_DEVICE ViewRow(C largest, C sum, C other_largest, C other_sum)
      : first_largest(largest),
        first_by(1 / sum),
        second_largest(other_largest),
        second_by(1 / other_sum),
        log_ratio(log_of(other_sum) - log_of(sum)) {}

  [[gnu::always_inline]] TYTO_HOST_DEVICE ViewShares<C> shares(C first, C second) const {
    const C z = first - first_largest, y = second - second_largest;
    return {exp_of(z) * first_by, exp_of(y) * second_by, (z - y) + log_ratio};
  }
};

}  // namespace tyto::kernels

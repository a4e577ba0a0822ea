// What the CPU and CUDA compute alike of the hetero-centre loss.
#pragma once

#include <cmath>

#include "kernels/common/host_device.h"
#include "kernels/losses/hetero_center.h"

namespace tyto::kernels {

// What the elements a of one centre and b of the other give to their distance.
template <class C>
struct CenterTerms {
  C first, second, third;
};
template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline CenterTerms<C> center_terms(CenterDistance kind, C a, C b) {
  const C apart = a - b;
  switch (kind) {
    case CenterDistance::Squared:
      return {apart * apart, 0, 0};
    case CenterDistance::Absolute:
      return {apart < 0 ? -apart : apart, 0, 0};
    case CenterDistance::Cosine:
      return {a * b, a * a, b * b};
  }
  return {};
}

// The distance from the sums of the terms, and its gradients: for the elements a and b
//   of a: of_a a + of_b b + of_sign sign(a - b),  of b: with the two exchanged.
template <class C>
struct CentersApart {
  C distance;
  C a_of_a, a_of_b, b_of_a, b_of_b, of_sign;
};
template <class C>
TYTO_HOST_DEVICE inline CentersApart<C> centers_apart(CenterDistance kind, const CenterTerms<C>& sums,
                                                      int64_t width) {
  switch (kind) {
    case CenterDistance::Squared:
      return {sums.first, 2, -2, -2, 2, 0};
    case CenterDistance::Absolute:
      return {sums.first / static_cast<C>(width), 0, 0, 0, 0, C{1} / static_cast<C>(width)};
    case CenterDistance::Cosine: {
      const C least = static_cast<C>(1e-8), a = std::sqrt(sums.second), b = std::sqrt(sums.third);
      const bool no_a = !(a > least), no_b = !(b > least);  // then the length is a constant
      const C by_a = C{1} / (no_a ? least : a), by_b = C{1} / (no_b ? least : b);
      const C cosine = sums.first * by_a * by_b;
      return {1 - cosine,   no_a ? C{0} : cosine * by_a * by_a, -by_a * by_b,
              -by_a * by_b, no_b ? C{0} : cosine * by_b * by_b, 0};
    }
  }
  return {};
}

template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline C sign_of(C v) {
  return v > 0 ? C{1} : v < 0 ? C{-1} : C{0};
}

// The thermal group of a visible one; 0: the group is not visible or its class has no other. Groups of a
// class are neighbours.
template <class Groups>
TYTO_HOST_DEVICE inline int32_t other_modality(const Groups& groups, int32_t count, int32_t group) {
  return group + 1 < count && groups.labels[group + 1] == groups.labels[group] ? group + 1 : 0;
}

}  // namespace tyto::kernels

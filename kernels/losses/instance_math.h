// A row of the instance loss, and what its identities need.
#pragma once

#include <cmath>

#include "kernels/losses/anchor_loss.h"
#include "kernels/losses/instance.h"
#include "kernels/losses/real_functions.h"

namespace tyto::kernels {

template <class C>
struct InstanceSum {
  C others = 0;  // of e^(gamma (s_ij - s_ii)); a row is closest to itself, so that none is large

  TYTO_HOST_DEVICE void join(const InstanceSum& other) { others += other.others; }
};

template <class C>
struct InstanceRule : AnchorRule {
  using Sums = InstanceSum<C>;
  using Totals = AnchorMean;
  struct Factors {
    C each, others, own;
  };
  C gamma;
  const int32_t* first_of_label;  // [n]; null: not by identity

  InstanceRule(const InstanceLoss& o, const int32_t* first)
      : gamma(static_cast<C>(o.gamma)), first_of_label(first) {}

  // An identity's mean stands in the place of its first row.
  TYTO_HOST_DEVICE bool present(int64_t i) const {
    return first_of_label == nullptr || first_of_label[i] == i;
  }
  TYTO_HOST_DEVICE void add(const Anchor<C, Sums>& a, C product, PairKind, Sums& sums) const {
    sums.others += exp_of(gamma * (product - a.own));
  }
  TYTO_HOST_DEVICE Totals totals_of(const Anchor<C, Sums>& a) const {
    return {.sum = static_cast<double>(std::log1p(a.sums.others)), .anchors = 1};
  }
  TYTO_HOST_DEVICE double value(const Totals& t) const { return t.sum / static_cast<double>(t.anchors); }
  TYTO_HOST_DEVICE Factors factors(const Anchor<C, Sums>& a, const Totals& t) const {
    return {gamma / static_cast<C>(t.anchors) / (1 + a.sums.others), a.sums.others, a.own};
  }
  TYTO_HOST_DEVICE C slope(const Factors& f, C product, PairKind kind, int32_t) const {
    return kind == PairKind::Self ? -f.each * f.others : f.each * exp_of(gamma * (product - f.own));
  }
};

inline PairwiseFrame instance_frame(const InstanceLoss& o) {
  return {.measure = PairMeasure::Product, .rows = {.unit = true, .added_length = o.added_length}};
}

// By identity, the frame works on means.
template <class C>
struct IdentityMemory {
  LossStatus* found;        // [1]  of the features
  int32_t* first_of_label;  // [n]  the first row that has the label of this one
  int32_t* members;         // [n]  of the identity whose first row this is
  C* features;              // [n, width]
  C* means;                 // [n, width]  0 where no identity begins, or for a fault
  C* gradients;             // [n, width]  of the means

  IdentityMemory(Workspace& workspace, int64_t n, int64_t width)
      : found(workspace.take<LossStatus>(1)),
        first_of_label(workspace.take<int32_t>(n)),
        members(workspace.take<int32_t>(n)),
        features(workspace.take<C>(n * width)),
        means(workspace.take<C>(n * width)),
        gradients(workspace.take<C>(n * width)) {}
};

}  // namespace tyto::kernels

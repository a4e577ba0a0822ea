// Losses over pairs that are a sum over anchors: each row of the measures is looked at for its hardest pairs
// and summed, the sums of all rows make the value, and each pair gets its slope. A loss says in a rule
//
//   Sums                       what an anchor's pairs add up to, with join(); empty: nothing
//   add(anchor, measure, kind, sums)
//   Totals                     what anchors add up to, in double, with join()
//   totals_of(anchor)
//   value(totals)
//   Factors                    what the slopes of an anchor's pairs have in common
//   factors(anchor, totals)
//   slope(factors, measure, kind, j)
//
// and in AnchorRule's constants what else it needs. Of the family's own use.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/common/host_device.h"
#include "kernels/losses/pairwise_loss.h"

namespace tyto::kernels {

enum class PairKind { Self, Positive, Negative };

// The farthest positive and the closest negative of an anchor, the lowest index among equals; -1: none. What
// is not a number wins.
template <class C>
struct HardestPairs {
  C farthest = 0, closest = 0;
  int32_t farthest_at = -1, closest_at = -1;

  TYTO_HOST_DEVICE void add(C measure, PairKind kind, int32_t j) {
    if (kind == PairKind::Positive) join_positive(measure, j);
    if (kind == PairKind::Negative) join_negative(measure, j);
  }
  TYTO_HOST_DEVICE void join(const HardestPairs& other) {
    if (other.farthest_at >= 0) join_positive(other.farthest, other.farthest_at);
    if (other.closest_at >= 0) join_negative(other.closest, other.closest_at);
  }

 private:
  TYTO_HOST_DEVICE void join_positive(C measure, int32_t at) {
    if (farthest_at >= 0 && !(measure > farthest) && !(measure == farthest && at < farthest_at) &&
        measure == measure)
      return;
    farthest = measure;
    farthest_at = at;
  }
  TYTO_HOST_DEVICE void join_negative(C measure, int32_t at) {
    if (closest_at >= 0 && !(measure < closest) && !(measure == closest && at < closest_at) &&
        measure == measure)
      return;
    closest = measure;
    closest_at = at;
  }
};

template <class C, class SumsOfPairs>
struct Anchor {
  C own = 0;  // the measure of the row and itself
  HardestPairs<C> hardest;
  SumsOfPairs sums;
};

struct NoSums {};

// A sum over anchors and their number.
struct AnchorMean {
  double sum = 0;
  int64_t anchors = 0;

  TYTO_HOST_DEVICE void join(const AnchorMean& other) {
    sum += other.sum;
    anchors += other.anchors;
  }
};

struct AnchorRule {
  static constexpr bool kHardest = false;                        // it wants hardest pairs
  static constexpr bool kSelfIsPositive = false;                 // a row is a positive of its own
  TYTO_HOST_DEVICE bool present(int64_t) const { return true; }  // rows that are not have no pairs
};

template <class Rule, class C>
using AnchorOf = Anchor<C, typename Rule::Sums>;

template <class Rule>
TYTO_HOST_DEVICE inline PairKind pair_kind(int64_t i, int64_t j, int32_t label_i, int32_t label_j) {
  if (i == j && !Rule::kSelfIsPositive) return PairKind::Self;
  return label_i == label_j ? PairKind::Positive : PairKind::Negative;
}

template <class Rule, class C>
struct AnchorMemory {
  AnchorOf<Rule, C>* anchors;     // [n]
  typename Rule::Totals* totals;  // [1]

  AnchorMemory(Workspace& workspace, int64_t n)
      : anchors(workspace.take<AnchorOf<Rule, C>>(n)), totals(workspace.take<typename Rule::Totals>(1)) {}
};

}  // namespace tyto::kernels

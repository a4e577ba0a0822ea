// What the miner keeps of an anchor's pairs, and what its triplets add up to.
#pragma once

#include <cmath>
#include <limits>

#include "kernels/losses/anchor_loss.h"
#include "kernels/losses/triplet.h"

namespace tyto::kernels {

inline constexpr PairwiseFrame kTripletFrame{.measure = PairMeasure::Distance};

// The distances at which an anchor's pairs are kept: positives beyond, negatives below.
template <class C>
struct KeptDistances {
  C positives_beyond, negatives_below;
};

template <class C>
struct TripletRule : AnchorRule {
  C margin, epsilon;
  bool mined;

  explicit TripletRule(const TripletLoss& o)
      : margin(static_cast<C>(o.margin)), epsilon(static_cast<C>(o.epsilon)), mined(o.mined) {}

  // s_ap - epsilon < max s_an: d_ap^2 > d_closest^2 - 2 epsilon; s_an + epsilon > min s_ap: d_an^2 <
  // d_farthest^2 + 2 epsilon.
  TYTO_HOST_DEVICE KeptDistances<C> kept(const HardestPairs<C>& h) const {
    if (h.farthest_at < 0 || h.closest_at < 0) return {std::numeric_limits<C>::infinity(), -1};
    if (!mined) return {-1, std::numeric_limits<C>::infinity()};
    const C beyond = h.closest * h.closest - 2 * epsilon, below = h.farthest * h.farthest + 2 * epsilon;
    return {beyond < 0 ? C{-1} : std::sqrt(beyond), below < 0 ? C{-1} : std::sqrt(below)};
  }
};

// Triplets whose v is not 0.
template <class Sum>
struct TripletSums {
  Sum sum = 0;
  int64_t count = 0;

  template <class Other>
  TYTO_HOST_DEVICE void join(const TripletSums<Other>& other) {
    sum += other.sum;
    count += other.count;
  }
};

using TripletTotals = TripletSums<double>;

TYTO_HOST_DEVICE inline double triplet_value(const TripletTotals& t) {
  return t.count == 0 ? 0 : t.sum / static_cast<double>(t.count);
}

template <class C>
struct TripletMemory {
  KeptDistances<C>* kept;  // [n]
  TripletTotals* anchors;  // [n]
  TripletTotals* totals;   // [1]

  TripletMemory(Workspace& workspace, int64_t n)
      : kept(workspace.take<KeptDistances<C>>(n)),
        anchors(workspace.take<TripletTotals>(n)),
        totals(workspace.take<TripletTotals>(1)) {}
};

}  // namespace tyto::kernels

// The arithmetic of match_priors.h, the same bits on CPU and CUDA (no multiply-add is fused).
#pragma once

#include <array>
#include <cmath>

#include "kernels/detection/iou.h"
#include "kernels/losses/match_priors.h"
#include "kernels/losses/real_functions.h"

namespace tyto::kernels {

// Corners from the four numbers of a prior.
template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline BoxOf<C> prior_corners(const C* prior, bool corners) {
  if (corners) return {prior[0], prior[1], prior[2], prior[3]};
  const C half_width = prior[2] / 2, half_height = prior[3] / 2;
  return {prior[0] - half_width, prior[1] - half_height, prior[0] + half_width, prior[1] + half_height};
}

// An overlap and where it was found.
template <class C>
struct BestOverlap {
  C overlap;
  int32_t index;
};

// Whether `a` replaces `b`, which was found earlier: torch's max, for which NaN is the greatest.
template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline bool overlaps_more(C a, C b) {
  return !(a <= b) & (b == b);
}

// Of two that were found in no order.
template <class C>
TYTO_HOST_DEVICE inline BestOverlap<C> better_of(const BestOverlap<C>& a, const BestOverlap<C>& b) {
  const bool equal = a.overlap == b.overlap || (a.overlap != a.overlap && b.overlap != b.overlap);
  if (equal) return a.index < b.index ? a : b;
  return overlaps_more(a.overlap, b.overlap) ? a : b;
}

// Whether the overlap alone makes a prior the object's.
template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline bool matches(C overlap, C threshold, PriorMatch rule) {
  return rule == PriorMatch::BestPrior ? !(overlap < threshold) : overlap > threshold;
}

// Whether an object takes the prior that overlaps it most and so much, if nobody's claim is better.
template <class C>
TYTO_HOST_DEVICE inline bool takes_best_prior(C overlap, PriorMatch rule) {
  return rule == PriorMatch::BestPrior || overlap > 0;
}

// The fault of an object and its class, or 0; row is its place.
template <class C>
TYTO_HOST_DEVICE inline LossStatus object_fault(const BoxOf<C>& box, int64_t row) {
  const C sum = box.x1 * 0 + box.y1 * 0 + box.x2 * 0 + box.y2 * 0;
  if (sum != sum) return loss_status(LossFault::NotFinite, LossInput::Boxes, row);
  if (box.x2 <= box.x1 || box.y2 <= box.y1) return loss_status(LossFault::Box, LossInput::Boxes, row);
  return 0;
}

// -1: out of range.
TYTO_HOST_DEVICE inline int32_t label_of(int32_t object_class, const MatchPriors& p) {
  const int64_t label = int64_t{object_class} + p.first_label;
  return label < 1 || label > INT32_MAX || (p.classes != 0 && label >= p.classes)
             ? -1
             : static_cast<int32_t>(label);
}

// How many places of an image are taken; joins a fault to `fault`.
TYTO_HOST_DEVICE inline int64_t objects_there(const int32_t* counts, int64_t image, int64_t capacity,
                                              LossStatus& fault) {
  if (counts == nullptr) return capacity;
  const int64_t count = counts[image];
  if (count >= 0 && count <= capacity) return count;
  const LossStatus wrong = loss_status(LossFault::Label, LossInput::Boxes, image * capacity);
  if (wrong > fault) fault = wrong;
  return count < 0 ? 0 : capacity;
}

// The offsets by which a prior should find the object.
template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline std::array<C, 4> location_target(
    const C* prior, bool corners, const BoxOf<C>& object, const std::array<double, 4>& variance) {
  C x = prior[0], y = prior[1], width = prior[2], height = prior[3];
  if (corners) {
    x = (prior[0] + prior[2]) / 2;
    y = (prior[1] + prior[3]) / 2;
    width = prior[2] - prior[0];
    height = prior[3] - prior[1];
  }
  const C of_x = static_cast<C>(variance[0]), of_y = static_cast<C>(variance[1]);
  const C of_width = static_cast<C>(variance[2]), of_height = static_cast<C>(variance[3]);
  return {((object.x1 + object.x2) / 2 - x) / width / of_x, ((object.y1 + object.y2) / 2 - y) / height / of_y,
          log_of((object.x2 - object.x1) / width) / of_width,
          log_of((object.y2 - object.y1) / height) / of_height};
}

}  // namespace tyto::kernels

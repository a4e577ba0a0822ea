// What anchor_targets.h and proposal_targets.h share: the same bits on CPU and CUDA (no multiply-add is
// fused), but for the logarithms of double.
#pragma once

#include <algorithm>
#include <array>
#include <limits>

#include "kernels/losses/match_priors_math.h"
#include "kernels/losses/multibox_loss_math.h"

namespace tyto::kernels {

// Intersection over union, 0 where it is no number or, of an object that is turned over, less.
template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline C overlap_with(const BoxOf<C>& box, const BoxOf<C>& object) {
  const C overlap = iou(box, object);
  return overlap > 0 ? overlap : C{0};
}

template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline bool is_finite(const BoxOf<C>& box) {
  const C sum = box.x1 * 0 + box.y1 * 0 + box.x2 * 0 + box.y2 * 0;
  return sum == 0;
}

// chainercv's bbox2loc: the offsets (y, x, log height, log width) from one box to another.
template <class C>
TYTO_HOST_DEVICE inline std::array<C, 4> offsets_to(const BoxOf<C>& from, const BoxOf<C>& to) {
  constexpr C kLeast = std::numeric_limits<C>::epsilon();
  const C height = from.y2 - from.y1, width = from.x2 - from.x1;
  const C y = from.y1 + C{0.5} * height, x = from.x1 + C{0.5} * width;
  const C to_height = to.y2 - to.y1, to_width = to.x2 - to.x1;
  const C to_y = to.y1 + C{0.5} * to_height, to_x = to.x1 + C{0.5} * to_width;
  const C by_height = std::max(height, kLeast), by_width = std::max(width, kLeast);
  return {(to_y - y) / by_height, (to_x - x) / by_width, log_of(to_height / by_height),
          log_of(to_width / by_width)};
}

template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline BoxOf<C> box_at(const C* corners) {
  return {corners[0], corners[1], corners[2], corners[3]};
}

// The fault of the object at this place, or 0; classes may be null.
template <class C>
TYTO_HOST_DEVICE inline LossStatus fault_of_object(const BoxOf<C>& box, const int32_t* classes,
                                                   int64_t place) {
  const LossStatus fault = object_fault(box, place);
  if (classes == nullptr || classes[place] >= 0) return fault;
  return std::max(fault, loss_status(LossFault::Label, LossInput::Labels, place));
}

}  // namespace tyto::kernels

// Intersection over union of two boxes.
#pragma once

#include <algorithm>

#include "kernels/common/host_device.h"

namespace tyto::kernels {

template <class C>
struct BoxOf {
  C x1, y1, x2, y2;
};
using Box = BoxOf<float>;

// `one` is 1 where coordinates are pixels that belong to the box (py-faster-rcnn, Caffe): a side is longer by
// it.
template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline C area(const BoxOf<C>& b, C one = 0) {
  return (b.x2 - b.x1 + one) * (b.y2 - b.y1 + one);
}

template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline C shared_area(const BoxOf<C>& a, const BoxOf<C>& b,
                                                             C one = 0) {
  const C width = std::max(C{0}, std::min(a.x2, b.x2) - std::max(a.x1, b.x1) + one);
  const C height = std::max(C{0}, std::min(a.y2, b.y2) - std::max(a.y1, b.y1) + one);
  return width * height;
}

// NaN where both boxes are without area.
template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline C iou(const BoxOf<C>& a, const BoxOf<C>& b, C one = 0) {
  const C shared = shared_area(a, b, one);
  return shared / (area(a, one) + area(b, one) - shared);
}

}  // namespace tyto::kernels

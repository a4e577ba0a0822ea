// Intersection over union of two boxes.
#pragma once

#include <algorithm>

#include "kernels/common/host_device.h"

namespace tyto::kernels {

struct Box {
  float x1, y1, x2, y2;
};

// A box in another type; what is below serves both.
template <class C>
struct BoxOf {
  C x1, y1, x2, y2;
};

template <class B>
using CoordinateOf = decltype(B::x1);

// `one` is 1 where coordinates are pixels that belong to the box (py-faster-rcnn, Caffe): a side is longer by
// it.
template <class B>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline CoordinateOf<B> area(const B& b, CoordinateOf<B> one = 0) {
  return (b.x2 - b.x1 + one) * (b.y2 - b.y1 + one);
}

template <class B>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline CoordinateOf<B> shared_area(const B& a, const B& b,
                                                                           CoordinateOf<B> one = 0) {
  constexpr CoordinateOf<B> kNothing = 0;
  const CoordinateOf<B> width = std::max(kNothing, std::min(a.x2, b.x2) - std::max(a.x1, b.x1) + one);
  const CoordinateOf<B> height = std::max(kNothing, std::min(a.y2, b.y2) - std::max(a.y1, b.y1) + one);
  return width * height;
}

// NaN where both boxes are without area.
template <class B>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline CoordinateOf<B> iou(const B& a, const B& b,
                                                                   CoordinateOf<B> one = 0) {
  const CoordinateOf<B> shared = shared_area(a, b, one);
  return shared / (area(a, one) + area(b, one) - shared);
}

}  // namespace tyto::kernels

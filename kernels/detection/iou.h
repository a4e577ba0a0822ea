// Intersection over union of two boxes.
#pragma once

#include <algorithm>

#include "kernels/common/host_device.h"

namespace tyto::kernels {

struct Box {
  float x1, y1, x2, y2;
};

// `one` is 1 where coordinates are pixels that belong to the box (py-faster-rcnn, Caffe): a side is longer by
// it.
TYTO_HOST_DEVICE inline float area(const Box& b, float one = 0) {
  return (b.x2 - b.x1 + one) * (b.y2 - b.y1 + one);
}

TYTO_HOST_DEVICE inline float shared_area(const Box& a, const Box& b, float one = 0) {
  const float width = std::max(0.0f, std::min(a.x2, b.x2) - std::max(a.x1, b.x1) + one);
  const float height = std::max(0.0f, std::min(a.y2, b.y2) - std::max(a.y1, b.y1) + one);
  return width * height;
}

// NaN where both boxes are without area.
TYTO_HOST_DEVICE inline float iou(const Box& a, const Box& b, float one = 0) {
  const float shared = shared_area(a, b, one);
  return shared / (area(a, one) + area(b, one) - shared);
}

}  // namespace tyto::kernels

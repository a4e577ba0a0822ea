// Intersection over union of two boxes.
#pragma once

#include <algorithm>

#include "kernels/common/host_device.h"

namespace tyto::kernels {

struct Box {
  float x1, y1, x2, y2;
};

TYTO_HOST_DEVICE inline float area(const Box& b) { return (b.x2 - b.x1) * (b.y2 - b.y1); }

// NaN where both boxes are without area.
TYTO_HOST_DEVICE inline float iou(const Box& a, const Box& b) {
  const float width = std::max(0.0f, std::min(a.x2, b.x2) - std::max(a.x1, b.x1));
  const float height = std::max(0.0f, std::min(a.y2, b.y2) - std::max(a.y1, b.y1));
  const float shared = width * height;
  return shared / (area(a) + area(b) - shared);
}

}  // namespace tyto::kernels

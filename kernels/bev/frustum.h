// The points that a network lifts its feature maps to: every pixel of the map at every depth bin.
#pragma once

#include <cstdint>

#include "kernels/common/host_device.h"

namespace tyto::kernels {

// Point (bin, row, column) of a camera is the pixel (u, v) of the network's input at so many metres along the
// camera's axis: u = linspace(0, image_width - 1, width)[column], v likewise, both ends included (Philion and
// Fidler, ECCV 2020), depth = first_depth + bin * depth_step.
struct Frustum {
  int image_height = 128, image_width = 352;  // of the network's input
  int height = 8, width = 22;                 // of the feature map; below 65536
  int bins = 41;
  double first_depth = 4, depth_step = 1;  // metres

  TYTO_HOST_DEVICE int64_t points() const { return int64_t{bins} * height * width; }  // of a camera
  TYTO_HOST_DEVICE int64_t columns() const {
    return int64_t{bins} * width;
  }  // (bin, column): `height` points each
  bool operator==(const Frustum&) const = default;
};

// linspace(0, last, count)[i] as torch computes it: from the nearer end.
template <class C>
TYTO_HOST_DEVICE inline C linspace_at(int i, int count, C last) {
  if (count == 1) return C(0);
  const C step = last / C(count - 1);
  return i < count / 2 ? step * C(i) : last - step * C(count - 1 - i);
}

}  // namespace tyto::kernels

// The arithmetic of torch's bilinear interpolation, shared by CPU and CUDA: compile without fused
// multiply-add.
#pragma once

#include "kernels/common/host_device.h"

namespace tyto::kernels {

// One output along one axis blends the inputs `first` and `second`.
struct BilinearTap {
  int first, second;
  float weight;  // of the second
};

// The inputs around a position; beyond the edge they are the edge.
TYTO_HOST_DEVICE inline BilinearTap bilinear_tap_at(float unbounded, int in_size) {
  const float position = unbounded > 0 ? unbounded : 0;
  const int last = in_size - 1;
  const int first = static_cast<int>(position) < last ? static_cast<int>(position) : last;
  const int second = first < last ? first + 1 : last;
  const float fraction = position - static_cast<float>(first);
  return {first, second, fraction < 0 ? 0 : fraction > 1 ? 1 : fraction};
}

// As torch's CPU code: step and position in float. step = in_size / out_size.
TYTO_HOST_DEVICE inline BilinearTap bilinear_tap(int output, int in_size, float step) {
  return bilinear_tap_at(step * (static_cast<float>(output) + 0.5f) - 0.5f, in_size);
}

// The blend across each of two rows, then down.
TYTO_HOST_DEVICE inline float bilinear_blend(float top_left, float top_right, float bottom_left,
                                             float bottom_right, float right, float down) {
  const float left = 1 - right, up = 1 - down;
  return up * (left * top_left + right * top_right) + down * (left * bottom_left + right * bottom_right);
}

}  // namespace tyto::kernels

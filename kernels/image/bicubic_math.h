// The arithmetic of torch's bicubic interpolation, shared by CPU and CUDA: compile without fused
// multiply-add.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/common/host_device.h"

namespace tyto::kernels {

// The four neighbours of one output along one axis.
struct CubicTaps {
  int64_t index[4];
  float weight[4];
};

inline constexpr float kCubicA = -0.75f;

template <class C>
TYTO_HOST_DEVICE inline C cubic_near(C x) {  // |x| <= 1
  return ((kCubicA + 2) * x - (kCubicA + 3)) * x * x + 1;
}
template <class C>
TYTO_HOST_DEVICE inline C cubic_far(C x) {  // 1 < |x| < 2
  return ((kCubicA * x - 5 * kCubicA) * x + 8 * kCubicA) * x - 4 * kCubicA;
}

// As torch's CPU code: the step, 1 / scale, is rounded to float, the position along it is not.
TYTO_HOST_DEVICE inline CubicTaps cubic_taps(int64_t output, int64_t in_size, float step) {
  const double position = step * (static_cast<double>(output) + 0.5) - 0.5;
  const double floor = std::floor(position);
  const float t = static_cast<float>(position - floor);
  CubicTaps taps = {{}, {cubic_far(t + 1), cubic_near(t), cubic_near(1 - t), cubic_far((1 - t) + 1)}};
  for (int k = 0; k < 4; ++k) {
    const int64_t index = static_cast<int64_t>(floor) - 1 + k;
    taps.index[k] = index < 0 ? 0 : index >= in_size ? in_size - 1 : index;
  }
  return taps;
}

TYTO_HOST_DEVICE inline float cubic_sum(const float (&value)[4], const float (&weight)[4]) {
  float sum = value[0] * weight[0];
  for (int k = 1; k < 4; ++k) sum += value[k] * weight[k];
  return sum;
}

}  // namespace tyto::kernels

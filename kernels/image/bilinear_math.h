// The arithmetic of bilinear interpolation, shared by CPU and CUDA: compile without fused multiply-add.
#pragma once

#include "kernels/common/host_device.h"
#include "kernels/image/resample_axis.h"

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

// As scipy's zoom with mode "mirror" and grid_mode, which scikit-image's resize is: step and position in
// double; beyond the edge, where an image never is by more than half a pixel, it is mirrored at the centres
// of its outermost pixels.
TYTO_HOST_DEVICE inline BilinearTap mirrored_tap(int output, int in_size, double step) {
  const int last = in_size - 1;
  if (last == 0) return {0, 0, 0};
  const double unbounded = (output + 0.5) * step - 0.5;
  const double right = unbounded < 0 ? -unbounded : unbounded;
  const double position = right > last ? 2.0 * last - right : right;
  const int first = static_cast<int>(position) < last ? static_cast<int>(position) : last - 1;
  return {first, first + 1, static_cast<float>(position - first)};
}

// An axis that is resized by torch's rule or scikit-image's.
struct BilinearAxis {
  explicit BilinearAxis(const AxisRange& range)
      : in_size(range.in_size),
        begin(range.begin),
        outputs(range.end - range.begin),
        mirrors(range.resampling == Resampling::SkimageBilinear),
        step(static_cast<float>(range.in_size) / static_cast<float>(range.out_size)),
        exact_step(static_cast<double>(range.in_size) / range.out_size) {}

  // Of output `begin` + i.
  TYTO_HOST_DEVICE BilinearTap tap(int i) const {
    return mirrors ? mirrored_tap(begin + i, in_size, exact_step) : bilinear_tap(begin + i, in_size, step);
  }

  int in_size, begin, outputs;
  bool mirrors;
  float step;
  double exact_step;
};

// The blend across each of two rows, then down.
TYTO_HOST_DEVICE inline float bilinear_blend(float top_left, float top_right, float bottom_left,
                                             float bottom_right, float right, float down) {
  const float left = 1 - right, up = 1 - down;
  return up * (left * top_left + right * top_right) + down * (left * bottom_left + right * bottom_right);
}

}  // namespace tyto::kernels

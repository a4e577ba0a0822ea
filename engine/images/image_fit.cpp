#include "engine/images/image_fit.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tyto {
namespace {

int round_half_even(double x) { return static_cast<int>(std::nearbyint(x)); }

int clamp_size(double size) {
  return static_cast<int>(std::clamp(size, 1.0, static_cast<double>(std::numeric_limits<int>::max() / 4)));
}

// The resampled size of the axis pair: torchvision's _compute_resized_output_size (shorter side exact, the
// other truncated), the letterbox sizes of ultralytics (rounded, half to even), or the network's own.
void choose_size(const Preprocessing& rule, kernels::ResizeParams& p) {
  p.out_width = rule.width;
  p.out_height = rule.height;
  const double width = p.in_width, height = p.in_height;
  if (rule.fit == Fit::Letterbox) {
    const double ratio = std::min(rule.width / width, rule.height / height);
    p.out_width = std::clamp(round_half_even(width * ratio), 1, rule.width);
    p.out_height = std::clamp(round_half_even(height * ratio), 1, rule.height);
  }
  if (rule.fit == Fit::CenterCrop) {
    const double side = rule.shorter_side;
    p.out_width = clamp_size(width <= height ? side : side * width / height);
    p.out_height = clamp_size(width <= height ? side * height / width : side);
  }
}

// Along one axis: a resampled image that is too small is centred, one that is too large cropped, both with
// torchvision's CenterCrop rounding (padding rounded down, crop to the nearest, half to even).
void fit_axis(int resampled, int canvas, int& window_begin, int& window_size, int& canvas_begin) {
  canvas_begin = resampled < canvas ? (canvas - resampled) / 2 : 0;
  window_begin = resampled > canvas ? round_half_even((resampled - canvas) / 2.0) : 0;
  window_size = std::min(resampled, canvas);
}

}  // namespace

ImageFit fit_image(const Preprocessing& rule, int width, int height) {
  ImageFit fit;
  fit.width = rule.width;
  fit.height = rule.height;
  kernels::ResizeParams& p = fit.resize;
  p.in_width = width;
  p.in_height = height;
  p.resampling = rule.resampling;
  choose_size(rule, p);
  fit_axis(p.out_width, rule.width, p.window_x, p.window_width, fit.left);
  fit_axis(p.out_height, rule.height, p.window_y, p.window_height, fit.top);
  // Around a letterboxed image stands `fill`; around an image smaller than the crop zero, as in torchvision.
  fit.background = static_cast<uint8_t>(rule.fit == Fit::Letterbox ? rule.fill : 0);
  return fit;
}

Geometry ImageFit::geometry() const {
  return {.scale_x = static_cast<double>(resize.out_width) / resize.in_width,
          .scale_y = static_cast<double>(resize.out_height) / resize.in_height,
          .offset_x = static_cast<double>(left - resize.window_x),
          .offset_y = static_cast<double>(top - resize.window_y)};
}

}  // namespace tyto

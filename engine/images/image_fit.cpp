#include "engine/images/image_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tyto/error.h"

namespace tyto {
namespace {

int round_half_even(double x) { return static_cast<int>(std::nearbyint(x)); }

int clamp_size(double size) {
  return static_cast<int>(std::clamp(size, 1.0, static_cast<double>(std::numeric_limits<int>::max() / 4)));
}

// torchvision's _compute_resized_output_size: the shorter side exact, the other truncated; where that is more
// than `longest`, which 0 leaves open, it becomes `longest` and the shorter one is truncated.
void resize_shorter(int shorter, int longest, kernels::ResizeParams& p) {
  const bool upright = p.in_width <= p.in_height;
  const double in_short = upright ? p.in_width : p.in_height, in_long = upright ? p.in_height : p.in_width;
  int out_short = shorter, out_long = clamp_size(shorter * in_long / in_short);
  if (longest != 0 && out_long > longest) {
    out_short = clamp_size(static_cast<double>(longest) * shorter / out_long);
    out_long = longest;
  }
  p.out_width = upright ? out_short : out_long;
  p.out_height = upright ? out_long : out_short;
}

// torchvision's _resize_image_and_masks, in its order: tensors are floats, a number over a tensor is the
// tensor's reciprocal times it, and interpolate() rounds down.
void resize_within_floats(float shorter, float longest, kernels::ResizeParams& p) {
  const auto [low, high] = std::minmax(p.in_width, p.in_height);
  const float scale = std::min(1 / static_cast<float>(low) * shorter, 1 / static_cast<float>(high) * longest);
  p.out_width = clamp_size(std::floor(p.in_width * static_cast<double>(scale)));
  p.out_height = clamp_size(std::floor(p.in_height * static_cast<double>(scale)));
}

// simple-faster-rcnn-pytorch's preprocess(): scikit-image gets the sizes as they are, makes factors of them
// and scipy sizes of those.
void resize_within(double shorter, double longest, kernels::ResizeParams& p) {
  const auto [low, high] = std::minmax(p.in_width, p.in_height);
  const double scale = std::min(shorter / low, longest / high);
  const auto scaled = [&](double size) {
    return clamp_size(std::nearbyint(size * (1 / (size / (size * scale)))));
  };
  p.out_width = scaled(p.in_width);
  p.out_height = scaled(p.in_height);
}

double covering_scale(const Preprocessing& rule, const kernels::ResizeParams& p) {
  return std::max(static_cast<double>(rule.height) / p.in_height,
                  static_cast<double>(rule.width) / p.in_width);
}

// The resampled size of the axis pair: torchvision's, the letterbox sizes of ultralytics (rounded, half to
// even), or the network's own.
void choose_size(const Preprocessing& rule, kernels::ResizeParams& p) {
  p.out_width = rule.width;
  p.out_height = rule.height;
  const double width = p.in_width, height = p.in_height;
  if (rule.fit == Fit::Letterbox) {
    const double ratio = std::min(rule.width / width, rule.height / height);
    p.out_width = std::clamp(round_half_even(width * ratio), 1, rule.width);
    p.out_height = std::clamp(round_half_even(height * ratio), 1, rule.height);
  }
  if (rule.fit == Fit::BottomCrop) {
    const double scale = covering_scale(rule, p);
    p.out_width = clamp_size(width * scale);
    p.out_height = clamp_size(height * scale);
  }
  if (rule.fit == Fit::CenterCrop) resize_shorter(rule.shorter_side, 0, p);
  if (rule.fit == Fit::ShorterSide) resize_shorter(rule.shorter_side, rule.longest_side, p);
  if (rule.fit == Fit::Within) {
    if (rule.resampling == Resampling::TorchBilinear)
      resize_within_floats(static_cast<float>(rule.shorter_side), static_cast<float>(rule.longest_side), p);
    else
      resize_within(rule.shorter_side, rule.longest_side, p);
  }
  if (rule.fit == Fit::LongestSide) {
    const double side = rule.longest_side;
    p.out_width = clamp_size(width < height ? side * width / height : side);
    p.out_height = clamp_size(width < height ? side : side * height / width);
  }
}

int padded(const Preprocessing& rule, int size) {
  const int unit = std::max(rule.multiple_of, 1);
  return (size + unit - 1) / unit * unit;
}

// Along one axis: the pixel of the resampled image that the canvas begins at, which may lie outside of it.
// One that is too small is centred, one that is too large cropped, both with torchvision's CenterCrop
// rounding (padding rounded down, crop to the nearest, half to even).
int begin_centred(int resampled, int canvas) {
  return resampled < canvas ? -((canvas - resampled) / 2) : round_half_even((resampled - canvas) / 2.0);
}

// At least a pixel of the image is taken.
void place_axis(int begin, int resampled, int canvas, int& window_begin, int& window_size,
                int& canvas_begin) {
  begin = std::clamp(begin, 1 - canvas, resampled - 1);
  canvas_begin = std::max(0, -begin);
  window_begin = std::max(0, begin);
  window_size = std::min(resampled, begin + canvas) - window_begin;
}

}  // namespace

ImageFit fit_image(const Preprocessing& rule, int width, int height) {
  ImageFit fit;
  kernels::ResizeParams& p = fit.resize;
  p.in_width = width;
  p.in_height = height;
  p.resampling = rule.resampling;
  choose_size(rule, p);
  fit.width = varies(rule) ? padded(rule, p.out_width) : rule.width;
  fit.height = varies(rule) ? padded(rule, p.out_height) : rule.height;
  if (std::max(fit.width, fit.height) > kLargestSide)
    throw Error(
        ErrorKind::Shape,
        fmt::format("an image of {} x {} pixels would be an input of {} x {}, and sides go to {}; give "
                    "the preprocessing rule a longest_side",
                    width, height, fit.width, fit.height, kLargestSide));
  if (varies(rule)) {
    p.window_width = p.out_width;
    p.window_height = p.out_height;
  } else {
    int x = begin_centred(p.out_width, fit.width), y = begin_centred(p.out_height, fit.height);
    if (rule.fit == Fit::BottomCrop) {
      x = std::max(0, p.out_width - fit.width) / 2;
      y = static_cast<int>((1 - rule.bottom) * p.out_height) - fit.height;
    }
    place_axis(x, p.out_width, fit.width, p.window_x, p.window_width, fit.left);
    place_axis(y, p.out_height, fit.height, p.window_y, p.window_height, fit.top);
    // Around a letterboxed image stands `fill`; around an image smaller than the crop zero, as in
    // torchvision and PIL.
    fit.background = static_cast<uint8_t>(rule.fit == Fit::Letterbox ? rule.fill : 0);
  }
  fit.scale_x = static_cast<double>(p.out_width) / width;
  fit.scale_y = static_cast<double>(p.out_height) / height;
  if (rule.fit == Fit::Within && rule.resampling == Resampling::SkimageBilinear) fit.scale_y = fit.scale_x;
  // That of before the rounding, by which cameras were calibrated in training.
  if (rule.fit == Fit::BottomCrop) fit.scale_x = fit.scale_y = covering_scale(rule, p);
  return fit;
}

NetworkSize nominal_size(const Preprocessing& rule) {
  if (!varies(rule)) return {rule.height, rule.width};
  kernels::ResizeParams p{.in_width = 4, .in_height = 3};
  choose_size(rule, p);
  return {std::min(padded(rule, p.out_height), kLargestSide),
          std::min(padded(rule, p.out_width), kLargestSide)};
}

Geometry ImageFit::geometry() const {
  return {.scale_x = scale_x,
          .scale_y = scale_y,
          .offset_x = static_cast<double>(left - resize.window_x),
          .offset_y = static_cast<double>(top - resize.window_y),
          .width = resize.in_width,
          .height = resize.in_height,
          .resized_width = resize.out_width,
          .resized_height = resize.out_height};
}

}  // namespace tyto

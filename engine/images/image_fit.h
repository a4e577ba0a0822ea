// Where an image goes on a network's input: the geometry of preprocessing, without its pixels.
#pragma once

#include <compare>
#include <optional>

#include "engine/images/preprocessing_rule.h"
#include "tyto/image.h"

namespace tyto {

// What the whole image is resampled to, which window of that is taken, and where the window lands.
struct ImageFit {
  kernels::ResizeParams resize;
  int width = 0, height = 0;  // of the network's input
  int left = 0, top = 0;      // of the window, on the input
  // Around the window: a byte in all three channels; none: 0 after normalisation.
  std::optional<uint8_t> background;
  double scale_x = 1, scale_y = 1;  // see Geometry

  bool covers() const {  // the window leaves no background
    return resize.window_width == width && resize.window_height == height;
  }
  int64_t values() const { return int64_t{3} * height * width; }  // of the network's input
  Geometry geometry() const;
};

// Of an image, whose sides are at least 1. Error{Shape} where the rule would make an input of it with a side
// beyond kLargestSide.
ImageFit fit_image(const Preprocessing& rule, int width, int height);

struct NetworkSize {
  int height = 0, width = 0;

  auto operator<=>(const NetworkSize&) const = default;
};

// The rule's size; where it varies, that of a photograph of 4:3: for all that runs without images.
NetworkSize nominal_size(const Preprocessing& rule);

}  // namespace tyto

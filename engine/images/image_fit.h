// Where an image goes on a network's input: the geometry of preprocessing, without its pixels.
#pragma once

#include "engine/images/preprocessing_rule.h"
#include "tyto/image.h"

namespace tyto {

// What the whole image is resampled to, which window of that is taken, and where the window lands.
struct ImageFit {
  kernels::ResizeParams resize;
  int width = 0, height = 0;  // of the network's input
  int left = 0, top = 0;      // of the window, on the input
  uint8_t background = 0;     // around the window: a byte in all three channels

  bool covers(const Preprocessing& rule) const {  // the window leaves no background
    return resize.window_width == rule.width && resize.window_height == rule.height;
  }
  Geometry geometry() const;
};

ImageFit fit_image(const Preprocessing& rule, int width, int height);

}  // namespace tyto

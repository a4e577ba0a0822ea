// What the kernels of two-stage detectors share: how boxes are coded, and the images' sizes.
#pragma once

#include <array>
#include <limits>

namespace tyto::kernels {

inline constexpr int kMaxLevels = 8;  // of a feature pyramid

// Offsets to a reference box (Girshick et al., CVPR 2014): centre = its centre + offset * variance * its
// size; size = its size * exp(offset * variance), the exponent being at most max_log_size.
struct BoxCoding {
  std::array<float, 4> variance = {1, 1, 1, 1};                 // of x, y, log width, log height
  float max_log_size = std::numeric_limits<float>::infinity();  // torchvision: log(1000 / 16)
  bool y_first = false;  // offsets are y, x, log height, log width: chainercv, simple-faster-rcnn-pytorch
};

// A row of `sizes` [n, kSizesRow], F32, an image: height and width of the resized image, which stands at the
// top left of the network's input, and of the original. A row of zeros is no image.
inline constexpr int kSizesRow = 4;

}  // namespace tyto::kernels

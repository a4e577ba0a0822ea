// Box regression of anchor-based detectors: from offsets to corners.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

#include "kernels/common/stream.h"

namespace tyto::kernels {

struct DecodeBoxes {
  std::array<float, 4> variance = {0.1f, 0.1f, 0.2f,
                                   0.2f};  // of x, y, log width, log height (Liu et al. 2016)
  float max_log_size = std::numeric_limits<float>::infinity();  // torchvision: log(1000 / 16)
  bool clip = false;                                            // to the image
  float width = 1, height = 1;  // of the image, in the anchors' unit: 0..width, 0..height
};

// centre = anchor centre + offset * variance * anchor size; size = anchor size * exp(offset * variance), the
// exponent being at most max_log_size; corners = centre -+ size / 2. exp is that of exponential.h: infinite
// above 88. offsets  [n, count, 4]   x, y, width, height anchors  [count, 4]      centre x, centre y, width,
// height, in any one unit boxes    [n, count, 4]   x1, y1, x2, y2 in that unit
void decode_boxes_cpu(const float* offsets, const float* anchors, int64_t n, int64_t count,
                      const DecodeBoxes&, float* boxes);

// The same bits. Device pointers, aligned to 16 bytes; n * count < 2^31.
void decode_boxes(const float* offsets, const float* anchors, int64_t n, int64_t count, const DecodeBoxes&,
                  float* boxes, Stream stream);

}  // namespace tyto::kernels

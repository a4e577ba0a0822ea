// Box regression of detectors with given anchors: from offsets to corners.
#pragma once

#include <cstdint>

#include "kernels/common/stream.h"
#include "kernels/detection/boxes.h"

namespace tyto::kernels {

struct DecodeBoxes {
  BoxCoding coding = {.variance = {0.1f, 0.1f, 0.2f, 0.2f}};  // Liu et al. 2016
  bool clip = false;                                          // to the image
  float width = 1, height = 1;  // of the image, in the anchors' unit: 0..width, 0..height
};

// exp is that of exponential.h: infinite above 88.
// offsets  [n, count, 4]   as coding says
// anchors  [count, 4]      centre x, centre y, width, height, in any one unit
// boxes    [n, count, 4]   x1, y1, x2, y2 in that unit
void decode_boxes_cpu(const float* offsets, const float* anchors, int64_t n, int64_t count,
                      const DecodeBoxes&, float* boxes);

// The same bits. Device pointers, aligned to 16 bytes; n * count < 2^31.
void decode_boxes(const float* offsets, const float* anchors, int64_t n, int64_t count, const DecodeBoxes&,
                  float* boxes, Stream stream);

}  // namespace tyto::kernels

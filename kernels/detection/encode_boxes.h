// Box regression's targets: the offsets that decode to given boxes, for training.
#pragma once

#include <cstdint>
#include <limits>

#include "kernels/common/stream.h"
#include "kernels/detection/boxes.h"

namespace tyto::kernels {

struct EncodeBoxes {
  BoxCoding coding;  // max_log_size is not looked at
  // References' sides are taken to be at least this. chainercv, simple-faster-rcnn-pytorch: float's epsilon;
  // torchvision takes them as they are: -infinity.
  float least_side = std::numeric_limits<float>::epsilon();
};

// Row by row. log is that of logarithm.h: -infinity for a target without width, NaN for less.
// references  [n, 4]   x1, y1, x2, y2
// targets     [n, 4]   x1, y1, x2, y2 of the box that each reference should become
// offsets     [n, 4]   as coding says
void encode_boxes_cpu(const float* references, const float* targets, int64_t n, const EncodeBoxes&,
                      float* offsets);
// The same bits. Device pointers, aligned to 16 bytes; n < 2^31.
void encode_boxes(const float* references, const float* targets, int64_t n, const EncodeBoxes&,
                  float* offsets, Stream stream);

}  // namespace tyto::kernels

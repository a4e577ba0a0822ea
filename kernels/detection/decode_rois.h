// The second stage of a two-stage detector: from each region's offsets to a box a class.
#pragma once

#include "kernels/common/stream.h"
#include "kernels/detection/boxes.h"
#include "kernels/detection/rois.h"

namespace tyto::kernels {

struct DecodeRois {
  BoxCoding coding;
  // Boxes are clipped to the resized image; or, where one scale serves both axes
  // (simple-faster-rcnn-pytorch), to the original's sides times resized width / original width.
  bool one_scale = false;
};

// Class 0 is the background and has no boxes in the result. Rows from rois.counts[b] on are zero.
// offsets  [n, capacity, classes, 4]       classes >= 2
// sizes    [n, kSizesRow]
// boxes    [n, capacity, classes - 1, 4]   x1, y1, x2, y2, in pixels of the network's input
void decode_rois_cpu(const float* offsets, const Rois& rois, const float* sizes, int64_t classes,
                     const DecodeRois&, float* boxes);
// The same bits. Device pointers, boxes, offsets and sizes aligned to 16 bytes; n * capacity * classes <
// 2^31.
void decode_rois(const float* offsets, const Rois& rois, const float* sizes, int64_t classes,
                 const DecodeRois&, float* boxes, Stream stream);

}  // namespace tyto::kernels

// The first stage of a two-stage detector: from the region proposal network's maps to scored boxes.
#pragma once

#include "kernels/common/stream.h"
#include "kernels/detection/anchor_grid.h"
#include "kernels/detection/boxes.h"

namespace tyto::kernels {

struct DecodeProposals {
  BoxCoding coding;
  AnchorGrid grid;
  // In pixels of the original image: a box with a side (of the clipped box) below min_size * (resized width /
  // original width), in float, is no proposal (simple-faster-rcnn-pytorch: 16). 0: none is too small.
  float min_size = 0;
};

// Boxes are clipped to 0..resized width and height. A score is the logit of `object`, or of object less
// background where there are two: what a sigmoid makes a probability. NaN where the box is too small or has a
// NaN, and for all of no image.
// offsets  [n, count, 4]        count: grid.anchors(), in the grid's order
// logits   [n, count, values]   values 1: object; 2: background, object
// sizes    [n, kSizesRow]
// boxes    [n, count, 4]        x1, y1, x2, y2, in pixels of the network's input
// scores   [n, count]
void decode_proposals_cpu(const float* offsets, const float* logits, const float* sizes, int64_t n,
                          int values, const DecodeProposals&, float* boxes, float* scores);
// The same bits. Device pointers, all but scores aligned to 16 bytes; n * count < 2^31.
void decode_proposals(const float* offsets, const float* logits, const float* sizes, int64_t n, int values,
                      const DecodeProposals&, float* boxes, float* scores, Stream stream);

}  // namespace tyto::kernels

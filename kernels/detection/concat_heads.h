// The maps of a single-shot detector's head, joined to one row an anchor.
#pragma once

#include <span>

#include "kernels/common/channel_blocks.h"

namespace tyto::kernels {

// Map k, [n, anchors_k * values, height_k, width_k] in any channel blocks, gives height_k * width_k * anchors_k
// rows: cells row by row, the cell's anchors fastest; channel = anchor * values + value. The permute, view and
// concatenate that ends ssd.pytorch's and torchvision's heads.
// rows  [n, sum over k of height_k * width_k * anchors_k, values]
void concat_heads_cpu(std::span<const ChannelBlocks<const float>> maps, float* rows);

}  // namespace tyto::kernels

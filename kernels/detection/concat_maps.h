// The maps of a single-shot detector's head, joined to one row an anchor.
#pragma once

#include <span>

#include "kernels/common/channel_blocks.h"
#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

// Map k, [n, anchors_k * values, height_k, width_k] in any channel blocks, gives height_k * width_k *
// anchors_k rows: cells row by row, the cell's anchors fastest; channel = anchor * values + value. The
// permute, view and concatenate that ends ssd.pytorch's and torchvision's heads. rows  [n, sum over k of
// height_k * width_k * anchors_k, values]
void concat_maps_cpu(std::span<const ChannelBlocks<const float>> maps, float* rows);

inline constexpr int kMaxMaps = 16;  // maps that one call joins on CUDA

// The same of device memory, in one launch. At most kMaxMaps maps of less than 2^31 elements an image each.
template <class T>
void concat_maps(std::span<const Nhwc<const T>> maps, float* rows, Stream stream);

}  // namespace tyto::kernels

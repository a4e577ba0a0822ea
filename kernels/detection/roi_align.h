// RoIAlign (He et al., ICCV 2017) as torchvision computes it.
#pragma once

#include <span>

#include "kernels/common/channel_blocks.h"
#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"
#include "kernels/detection/roi_levels.h"
#include "kernels/detection/rois.h"

namespace tyto::kernels {

struct RoiAlign {
  int height = 7, width = 7;  // bins
  int sampling_ratio = 2;     // samples a bin along each axis; 0: one a cell, as many as the bin is large
  bool aligned = false;       // half a cell is subtracted: pixels are where other resamplings see them
  RoiLevels levels;
};

// A bin's along an axis where sampling_ratio is 0. Regions whose bins have more cells reach far beyond any
// map; they are sampled more coarsely than torchvision would, which would run out of memory.
inline constexpr int kMaxSamples = 4096;

// A region's corners are its level's cells, not rounded; unless aligned, its sides are at least one cell. A
// bin's value is the mean of its samples, taken at the middles of equal parts; a sample is the map between
// its four neighbouring cells, within a cell of the map's edge the edge, and 0 beyond. So is a sample that is
// nowhere, a corner being infinite. A bin without samples (sampling_ratio 0, aligned, corners exchanged) is
// 0. The arithmetic is torchvision's step by step, in float. maps      levels.count of [n, channels,
// height_k, width_k], none empty features  [rois.total(), channels, height, width]   rows that hold no region
// are 0
void roi_align_cpu(std::span<const ChannelBlocks<const float>> maps, const Rois& rois, const RoiAlign&,
                   const ChannelBlocks<float>& features);

// The same bits of floats; halves are rounded once, at the end. Device pointers, the maps' span on the host;
// rois.total() * height * width < 2^31, and so a map's cells of an image times its channels.
template <class T>
void roi_align(std::span<const Nhwc<const T>> maps, const Rois& rois, const RoiAlign&,
               const Nhwc<T>& features, Stream stream);

// For training: every number of `gradient` is added to the cells that its bin's samples were taken from, as
// often as they were. A cell's sum runs over the regions, their bins and samples in order, whatever the
// number of threads. gradient       of the features map_gradients  as the maps; written, not added to
void roi_align_backward_cpu(const ChannelBlocks<const float>& gradient, const Rois& rois, const RoiAlign&,
                            std::span<const ChannelBlocks<float>> map_gradients);
// The same bits. Device pointers, the span on the host; limits as roi_align.
void roi_align_backward(const Nhwc<const float>& gradient, const Rois& rois, const RoiAlign&,
                        std::span<const Nhwc<float>> map_gradients, Stream stream);

}  // namespace tyto::kernels

// RoI max pooling (Girshick, ICCV 2015) by the rule of Caffe, chainer and torchvision.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/common/channel_blocks.h"
#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"
#include "kernels/detection/roi_levels.h"
#include "kernels/detection/rois.h"

namespace tyto::kernels {

struct RoiPool {
  int height = 7, width = 7;  // bins
  RoiLevels levels;
};

// A region's corners times its level's scale are rounded, halves away from zero, to cells, the last of which
// belongs to the region; a region with its corners exchanged has one cell an axis. Bins begin at the floor
// and end at the ceiling of equal parts, so that they overlap, and are cut off at the map's edge. A bin's
// value is that of its first largest cell, row by row; NaN is never larger, and where nothing is above
// -FLT_MAX it is that. A bin without cells is 0. Corners further than 2^22 cells away are taken to be there.
// maps      levels.count of [n, channels, height_k, width_k], none empty
// features  [rois.total(), channels, height, width]   rows that hold no region are 0
// argmax    as features, element for element: row * width_k + column in the level's map of the cell whose
//           value was taken, -1 where none was; or null
void roi_pool_cpu(std::span<const ChannelBlocks<const float>> maps, const Rois& rois, const RoiPool&,
                  const ChannelBlocks<float>& features, int32_t* argmax);

// The same values. Device pointers, the maps' and the features' spans on the host; rois.total() * height *
// width < 2^31, and so a map's cells of an image times its channels.
template <class T>
void roi_pool(std::span<const Nhwc<const T>> maps, const Rois& rois, const RoiPool&, const Nhwc<T>& features,
              int32_t* argmax, Stream stream);

// For training: every number of `gradient` is added to the cell that argmax names; those of no cell are lost.
// A cell's sum runs over the regions and their bins in order, whatever the number of threads.
// gradient, argmax  of the features, as roi_pool_cpu wrote them
// map_gradients     as the maps; written, not added to
void roi_pool_backward_cpu(const ChannelBlocks<const float>& gradient, const int32_t* argmax,
                           const Rois& rois, const RoiPool&,
                           std::span<const ChannelBlocks<float>> map_gradients);
// The same bits. Device pointers, the span on the host; limits as roi_pool.
void roi_pool_backward(const Nhwc<const float>& gradient, const int32_t* argmax, const Rois& rois,
                       const RoiPool&, std::span<const Nhwc<float>> map_gradients, Stream stream);

}  // namespace tyto::kernels

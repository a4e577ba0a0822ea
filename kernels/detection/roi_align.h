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

void roi_align_cpu(std::span<const ChannelBlocks<const float>> maps, const Rois& rois, const RoiAlign&,
                   const ChannelBlocks<float>& features);

template <class T>
void roi_align(std::span<const Nhwc<const T>> maps, const Rois& rois, const RoiAlign&,
               const Nhwc<T>& features, Stream stream);

}  // namespace tyto::kernels

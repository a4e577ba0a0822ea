// RoI max pooling (Girshick, ICCV 2015) by the rule of Caffe, chainer and torchvision.
#pragma once

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

void roi_pool_cpu(std::span<const ChannelBlocks<const float>> maps, const Rois& rois, const RoiPool&,
                  const ChannelBlocks<float>& features, int32_t* argmax);

template <class T>
void roi_pool(std::span<const Nhwc<const T>> maps, const Rois& rois, const RoiPool&, const Nhwc<T>& features,
              int32_t* argmax, Stream stream);

}  // namespace tyto::kernels

// ResNet (He et al., CVPR 2016) in torchvision's v1.5 form, stride in the 3x3, with or without IBN-a (Pan et
// al., ECCV 2018): the trunk of classifiers, detectors and bird's-eye views.
#pragma once

#include <array>

#include "engine/graph/graph.h"

namespace tyto {

// Stem and the four layers, named as torchvision does; depth and kind of block follow from which tensors
// there are. last_stride: of layer4, 1 or 2; epsilon: of the batch norms. Returns the map behind each layer,
// of strides 4, 8, 16 and 16 * last_stride.
std::array<Value, 4> resnet_trunk(Graph& g, const Weights& w, Value x, int last_stride,
                                  float epsilon = 1e-5f);

}  // namespace tyto

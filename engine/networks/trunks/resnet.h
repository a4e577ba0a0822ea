// ResNet (He et al., CVPR 2016) in torchvision's v1.5 form, stride in the 3x3, with or without IBN-a (Pan et
// al., ECCV 2018): the trunk of classifiers, detectors and bird's-eye views.
#pragma once

#include <array>
#include <functional>

#include "engine/graph/graph.h"

namespace tyto {

// w: the trunk's. The kind and number of blocks follow from which tensors there are; after_block may add to
// what a block (counted from 0) gives.
Value resnet_stem(Graph& g, const Weights& w, Value x, float epsilon = 1e-5f);
Value resnet_layer(Graph& g, const Weights& w, Value x, int layer, int stride, float epsilon = 1e-5f,
                   const std::function<Value(int block, Value x)>& after_block = {});
int resnet_blocks(const Weights& w, int layer);  // at least 1

// Stem and the four layers, named as torchvision does; depth and kind of block follow from which tensors
// there are. last_stride: of layer4, 1 or 2; epsilon: of the batch norms. Returns the map behind each layer,
// of strides 4, 8, 16 and 16 * last_stride.
std::array<Value, 4> resnet_trunk(Graph& g, const Weights& w, Value x, int last_stride,
                                  float epsilon = 1e-5f);

}  // namespace tyto

// DenseNet (Huang et al., CVPR 2017) as torchvision names it: the trunk of classifiers.
#pragma once

#include <vector>

#include "engine/graph/graph.h"

namespace tyto {

// Stem, dense blocks and transitions, without the last norm: depth, growth and widths follow from which
// tensors there are. Names are those of today ("denselayer1.norm1") or those before torchvision 0.2.1
// ("denselayer1.norm.1"), whichever the file has. Returns the map behind each block, of strides 4, 8, 16
// and 32.
std::vector<Value> densenet_trunk(Graph& g, const Weights& w, Value x);

}  // namespace tyto

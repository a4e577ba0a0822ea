// ConvNeXt (Liu et al., CVPR 2022) as torchvision names it: the trunk of classifiers and detectors.
#pragma once

#include <vector>

#include "engine/graph/graph.h"

namespace tyto {

inline constexpr LayerNorm kConvNextNorm = {.epsilon = 1e-6f};

// All stages: depth and widths follow from which tensors there are. Returns the map behind each stage, of
// strides 4, 8, 16 and 32.
std::vector<Value> convnext_trunk(Graph& g, const Weights& w, Value x);

// torchvision's LayerNorm2d: over the channels of each pixel of a map.
Value layer_norm_2d(Graph& g, const Weights& w, Value x);

}  // namespace tyto

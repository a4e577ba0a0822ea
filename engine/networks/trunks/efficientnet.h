// EfficientNet (Tan and Le, ICML 2019). Tensor names, padding and the maps' names: lukemelas'
// efficientnet_pytorch.
#pragma once

#include <array>

#include "engine/graph/graph.h"

namespace tyto {

struct EfficientNetScale {
  double depth = 1;  // what the numbers of blocks are multiplied by; widths follow from the weights
  int side = 224;    // of the square images that the package lays its padding for, whatever it is given then
};
// B0 to B7.
inline constexpr std::array<EfficientNetScale, 8> kEfficientNetScales = {
    {{1, 224}, {1.1, 240}, {1.2, 260}, {1.4, 300}, {1.8, 380}, {2.2, 456}, {2.6, 528}, {3.1, 600}}};

int efficientnet_blocks(const EfficientNetScale& scale);  // of all stages together

// Stem and blocks. The last map before each halving and the last of all: reduction_1 to reduction_5, of
// strides 2 to 32. image: a map [N, 3, H, W].
std::array<Value, 5> efficientnet_trunk(Graph& g, const Weights& w, Value image,
                                        const EfficientNetScale& scale);

// What follows them in a classifier: _conv_head and its activation.
Value efficientnet_head(Graph& g, const Weights& w, Value map);

}  // namespace tyto

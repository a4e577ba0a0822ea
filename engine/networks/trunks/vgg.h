// The layers of VGG (Simonyan and Zisserman, ICLR 2015), numbered as torchvision's `features` are.
#pragma once

#include "engine/graph/graph.h"

namespace tyto {

// All of them, 11 to 19 layers with or without batch norm: convolution, [batch norm,] ReLU, and a pool
// wherever no convolution follows at the next number; behind the last one only if wanted.
Value vgg_trunk(Graph& g, const Weights& w, Value x, bool last_pool = true);

// VGG-16 up to the ReLU of conv4_3, as SSD300 uses it: the third pool rounds up (75 -> 38).
Value vgg16_to_conv4_3(Graph& g, const Weights& w, Value x);

}  // namespace tyto

// Convolution and batch norm, as the MobileNets and SSDLite are made of.
#pragma once

#include "engine/graph/graph.h"

namespace tyto {

struct NormStyle {
  float epsilon = 1e-5f;  // of the batch norm
  bool same = false;      // TensorFlow's padding, else PyTorch's kernel / 2
};

Value conv_norm(Graph& g, const Weights& conv, const Weights& norm, Value x, Conv2d op,
                const NormStyle& style);

// torchvision's Conv2dNormActivation: the two are named 0 and 1 under w.
Value conv_norm_activation(Graph& g, const Weights& w, Value x, const Conv2d& op, Activation activation,
                           const NormStyle& style);

// The same, one filter a channel.
Value depthwise_norm_activation(Graph& g, const Weights& w, Value x, Conv2d op, Activation activation,
                                const NormStyle& style);

}  // namespace tyto

// What a convolution of a graph asks of cuDNN.
#pragma once

#include "engine/cuda/convolution.h"
#include "engine/graph/graph.h"

namespace tyto::cuda {

// Served by our own kernel.
inline bool is_depthwise(const Node& node) {
  const int groups = std::get<Conv2d>(node.op).groups;
  return groups > 1 && node.weights[0].dim(1) == 1 && node.weights[0].dim(0) == groups;
}

// Any other border is laid by a kernel before the convolution, which then has none.
inline bool pads_evenly(const Padding& p) { return p.top == p.left && p.top == p.bottom && p.top == p.right; }

// fp16 engines want an image's three channels padded to four; the others are faster with three (measured on
// an H100, cuDNN 9.19).
inline int64_t image_channels(int64_t channels, Precision precision) {
  return precision == Precision::Fp16 && channels == 3 ? 4 : channels;
}

// channels: of the input as it lies in memory.
inline ConvolutionSpec convolution_spec(const Graph& graph, const Node& node, Precision precision,
                                        int64_t channels) {
  const auto& op = std::get<Conv2d>(node.op);
  const Shape& x = graph.shape(node.inputs[0]);
  const Padding& p = op.padding;
  const bool even = pads_evenly(p);
  ConvolutionSpec spec;
  spec.precision = precision;
  spec.n = x[0];
  spec.height = x[2] + (even ? 0 : p.top + p.bottom);
  spec.width = x[3] + (even ? 0 : p.left + p.right);
  spec.channels = channels;
  spec.outputs = node.shape()[1];
  spec.out_height = node.shape()[2];
  spec.out_width = node.shape()[3];
  spec.kernel = op.kernel;
  spec.stride = op.stride;
  spec.padding = even ? p.top : 0;
  spec.dilation = op.dilation;
  spec.groups = op.groups;
  spec.residual = node.inputs.size() > 1;
  spec.bias = node.weights.size() > 1;
  spec.relu = op.activation == Activation::Relu;
  return spec;
}

}  // namespace tyto::cuda

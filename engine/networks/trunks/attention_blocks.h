// Blocks by which every place of a map looks at all others.
#pragma once

#include "engine/graph/graph.h"

namespace tyto {

// Wang et al., CVPR 2018, in AGW's form: affinities theta_i . phi_j / (H * W) without softmax, so that the
// map of places x places is a product of low rank, which is never made: theta (phi^T g). Tensors: theta, phi,
// g.0, W.0, W.1.
Value non_local(Graph& g, const Weights& w, Value x);

// DANet's attention over positions (Fu et al., CVPR 2019; kernels/attention/position_attention.h). Tensors:
// query_conv, key_conv, value_conv, gamma.
Value position_attention(Graph& g, const Weights& w, Value x);

// DANet's attention over channels, which attend to those that are least like them. Tensor: gamma.
Value channel_attention(Graph& g, const Weights& w, Value x);

}  // namespace tyto

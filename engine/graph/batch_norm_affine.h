// What a batch norm does to each channel.
#pragma once

#include <vector>

#include "engine/graph/graph.h"

namespace tyto {

// gamma / sqrt(var + epsilon); 1 for the channels before first_channel, not finite where running_var is
// negative.
std::vector<double> batch_norm_scales(const Node& batch_norm, int64_t channels);

struct ChannelAffine {
  std::vector<float> scale, shift;  // y = x * scale + shift; 1 and 0 for the channels before first_channel
};

// batch_norm: a node whose operator is BatchNorm, on an input of so many channels. Error{Format} names it
// where its running_var is negative.
ChannelAffine channel_affine_of(const Node& batch_norm, int64_t channels);

}  // namespace tyto

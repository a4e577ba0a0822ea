// Weights that a checkpoint keeps in parts.
#pragma once

#include <memory>

#include "files/tensor_source.h"

namespace tyto {

// The tensors with each weight in place of its parts, computed as PyTorch does in evaluation, in fp32:
//   weight_norm    weight_g, weight_v                   weight = v * (g / |v|), over all dimensions but that
//   of g spectral_norm  weight_orig, weight_u, weight_v      weight = orig / (u^T W v), W flattened behind
//   the dimension of u pruning        weight_orig, weight_mask             weight = orig * mask
// and the first two in the names of torch.nn.utils.parametrizations. A weight under another parametrization
// is of a foreign type that says so.
std::shared_ptr<const TensorSource> with_weights_of_parts(std::shared_ptr<const TensorSource> tensors);

}  // namespace tyto

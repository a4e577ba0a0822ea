// The vision transformer (Dosovitskiy et al., ICLR 2021) as torchvision names it.
#pragma once

#include "engine/graph/graph.h"

namespace tyto {

// Patches, class token and encoder, its last norm included: [N, 1 + patches, width], the class token first.
// Depth, width and patch size follow from which tensors there are and their shapes. heads: 0 for one each 64
// channels.
Value vision_transformer_tokens(Graph& g, const Weights& w, Value image, int heads);

// Pixels a side of the square image that the position embedding is for.
int vision_transformer_image_size(const Weights& w);

}  // namespace tyto

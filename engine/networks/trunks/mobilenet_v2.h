// MobileNetV2's layers up to its last map, for the classifiers and the detectors that stand on them.
#pragma once

#include <array>

#include "engine/networks/trunks/conv_norm.h"

namespace tyto {

// Where a family stores the layers of a block: convolution and batch norm of each step.
struct MobileNetV2Names {
  std::array<const char*, 3> convolution, norm;            // expand, depthwise, project
  std::array<const char*, 2> bare_convolution, bare_norm;  // of the first block, which does not expand
};
extern const MobileNetV2Names kNestedNames;  // torchvision: conv.0.0
extern const MobileNetV2Names kFlatNames;    // the first port: conv.0, conv.3, conv.6

struct MobileNetV2Maps {
  Value expanded;  // stride 16: inside features.14, before its depthwise convolution
  Value last;      // stride 32
};

// features.0 to features.18; image: a map [N, 3, H, W].
MobileNetV2Maps mobilenet_v2_trunk(Graph& g, const Weights& w, const MobileNetV2Names& names,
                                   const NormStyle& style, Value image);

}  // namespace tyto

// MobileNetV3-Large (Howard et al., ICCV 2019) as the trunk of torchvision's detectors.
#pragma once

#include <vector>

#include "engine/graph/graph.h"

namespace tyto {

// The maps of stride 16 (inside the first block of stride 32, behind its expansion) and 32. Names as
// torchvision's SSDLiteFeatureExtractorMobileNet cuts the layers in two: 0.0 to 0.13, 1.0 to 1.3. image:
// a map [N, 3, H, W].
std::vector<Value> mobilenet_v3_large_maps(Graph& g, const Weights& w, Value image);

// The maps behind layers 13 and 16 of torchvision's `features`, both of stride 32, as its feature pyramid
// takes them; epsilon: of the batch norms.
std::vector<Value> mobilenet_v3_large_last_maps(Graph& g, const Weights& w, Value image, float epsilon);

}  // namespace tyto

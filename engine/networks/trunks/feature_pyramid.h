// The feature pyramid of torchvision's detectors (Lin et al., CVPR 2017).
#pragma once

#include <vector>

#include "engine/graph/graph.h"

namespace tyto {

// Of a trunk's maps, the largest first: as many maps of equal channels, each with the coarser ones added, and
// behind them every second pixel of the last one. Convolutions have a bias or a batch norm; names of
// torchvision 0.13 and later (inner_blocks.0.0.weight) and before (inner_blocks.0.weight).
std::vector<Value> feature_pyramid(Graph& g, const Weights& w, const std::vector<Value>& maps);

}  // namespace tyto

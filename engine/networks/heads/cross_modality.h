// What stands behind the trunks of two modalities: pooling, and the batch norm that features are taken
// before and behind of (BNNeck; Luo et al., CVPRW 2019).
#pragma once

#include "engine/networks/network.h"

namespace tyto {

inline constexpr OptionSpec kPooling = {"pooling", "",
                                        "of the last map: average, or gem (generalised mean, power 3)"};

// (mean x^power + 1e-12)^(1/power) over a map, to rows [N, C].
Value gem(Graph& g, Value x, float power);

// Outputs `fc`, behind `bottleneck`, and `pool`, before it; the order is that of AGW's model selection.
NetworkOutputs neck(Graph& g, const Weights& w, Value x, const std::string& pooling);

}  // namespace tyto

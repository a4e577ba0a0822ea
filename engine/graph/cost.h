// What an operator has to do, told by its shapes: a profile sets it beside the time that a device takes.
#pragma once

#include <cstdint>

#include "engine/graph/graph.h"

namespace tyto {

struct Cost {
  // Floating-point operations. A multiply-add is two; a comparison, an exponential, a division or a root is
  // one. Padding counts, as it does in published figures; the bias, residual and activation that a layer
  // applies as it writes do not.
  double flop = 0;
  int64_t bytes_read = 0, bytes_written = 0;  // inputs and weights, and the result, once each
};

// Of a node of the graph. `activations` is the type of the values that layers hand on; images and what
// follows a detector's heads are F32 whatever it is. The work of Nms depends on the boxes: its scores'
// comparison with the threshold alone is counted.
Cost cost_of(const Graph& graph, const Node& node, DType activations);

}  // namespace tyto

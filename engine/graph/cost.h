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

// How elements stand in memory where activations are of this type.
DType dtype_of(Elements elements, DType activations);

// Of a node of the graph. `activations` is the type of the values that layers hand on. The work of Nms
// depends on the boxes: its scores' comparison with the threshold alone is counted.
Cost cost_of(const Graph& graph, const Node& node, DType activations);

}  // namespace tyto

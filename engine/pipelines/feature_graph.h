// The test-time rule of person re-identification as one graph: several views of each image, one feature
// vector.
#pragma once

#include "engine/graph/graph.h"
#include "tyto/feature_extractor.h"

namespace tyto {

// input: [batch, 3, H, W]. Output `features` [batch, D]: for each orientation and scale
// the network's own `features`, summed, each row divided by its length. Error{Unsupported} where the network
// has none, Error{Usage} for impossible options.
Graph feature_graph(const Model& model, const Shape& input, const ExtractOptions& options);

}  // namespace tyto

// The test-time rule of person re-identification as one graph: several views of each image, one row.
#pragma once

#include <vector>

#include "engine/graph/graph.h"
#include "tyto/feature_extractor.h"

namespace tyto {

// Whether the mirrored image's features are added.
bool flips(const Model& model, const ExtractOptions& options);

// input: [batch, 3, H, W]. Output kFeatureRows [batch, D]: of each matrix the network's vectors for all
// orientations and scales, summed, the sum divided by its length. matrices, where it is not null, becomes
// what stands in a row. Error{Unsupported} where the network has no vector an image, Error{Usage} for
// impossible options.
inline constexpr const char* kFeatureRows = "features";
Graph feature_graph(const Model& model, const Shape& input, const ExtractOptions& options,
                    std::vector<FeatureMatrix>* matrices = nullptr);

}  // namespace tyto

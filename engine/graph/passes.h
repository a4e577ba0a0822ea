// Passes: pure functions Graph -> Graph that only rewrite. Layout and memory belong to the backends.
#pragma once

#include <string>
#include <vector>

#include "engine/graph/graph.h"

namespace tyto {

// Keeps what the named outputs need (all outputs where none is named); Error{Usage} names an output that is
// not there.
Graph drop_dead(const Graph& graph, const std::vector<std::string>& outputs = {});

// A batch norm that alone reads a convolution or linear layer becomes part of its weights and bias.
Graph fold_batch_norm(const Graph& graph);

// An addition becomes part of the later of the two convolutions it adds; the other summand becomes its second
// input.
Graph fuse_residual(const Graph& graph);

// An activation that alone reads a node becomes the node's own.
Graph fuse_activation(const Graph& graph);

// What every backend compiles: the passes above in the order in which each finds most to do.
Graph optimise(const Graph& graph, const std::vector<std::string>& outputs = {});

}  // namespace tyto

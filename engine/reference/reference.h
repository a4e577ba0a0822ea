// The naive meaning of every operator, in double precision: loops that nobody can doubt, for `tyto selftest`
// and the tests.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "engine/graph/graph.h"

namespace tyto {

using TensorsByName = std::map<std::string, Tensor>;

// inputs: one for each of graph.inputs(). Outputs by the graph's names: I32, or F32 for anything else. Slow:
// one multiply-add at a time. `poll` is called before each node and may throw.
TensorsByName run_reference(const Graph& graph, const TensorsByName& inputs,
                            const std::function<void()>& poll = {});
// The same of a graph of one input.
TensorsByName run_reference(const Graph& graph, const Tensor& input, const std::function<void()>& poll = {});

}  // namespace tyto

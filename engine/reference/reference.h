// The naive meaning of every operator, in double precision: loops that nobody can doubt, for `tyto selftest`
// and the tests.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "engine/graph/graph.h"

namespace tyto {

// Runs a graph of one input. Slow: one multiply-add at a time. `poll` is called before each node and may
// throw.
std::map<std::string, Tensor> run_reference(const Graph& graph, const Tensor& input,
                                            const std::function<void()>& poll = {});

}  // namespace tyto

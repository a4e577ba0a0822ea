// The part of a graph that need not run every time.
#pragma once

#include <vector>

#include "engine/graph/graph.h"

namespace tyto {

// By node: whether it is computed, and from steady inputs (InputInfo::steady) and constants alone. Such nodes
// run when a steady input's bytes differ from those of the run before, and keep their results. None where the
// graph has no steady input.
std::vector<bool> prologue_of(const Graph& graph);

// The same graph whose inputs, constants and prologue stand before all else; what is in a part keeps its
// order.
Graph prologue_first(const Graph& graph);

}  // namespace tyto

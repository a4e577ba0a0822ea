// Which step of a plan bears the cost of a node.
#pragma once

#include <span>

#include "engine/graph/cost.h"
#include "tyto/plan.h"

namespace tyto {

// `steps` are those that lowering made of the node, each with a PlanReport::Step as its `report`. The first
// that bears the operator's name does the operator's work; the others move values, and know how many bytes.
template <class Step>
void charge(const Graph& graph, const Node& node, DType activations, std::span<Step> steps) {
  if (std::holds_alternative<Input>(node.op)) return;
  for (Step& step : steps) {
    if (step.report.operation != name_of(node.op)) continue;
    const Cost cost = cost_of(graph, node, activations);
    step.report.flop = cost.flop;
    step.report.bytes_read = cost.bytes_read;
    step.report.bytes_written = cost.bytes_written;
    return;
  }
}

}  // namespace tyto

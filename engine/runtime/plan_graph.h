// Plans of graphs, and images into plans: what pipelines and tests do with a Plan and users of the library
// cannot.
#pragma once

#include <span>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/images/preprocessing_rule.h"
#include "engine/runtime/backend.h"
#include "tyto/plan.h"

namespace tyto {

// graph: optimised.
Plan plan_graph(const Graph& graph, Context& context, Precision precision);

// Plan::submit() that takes images, too, where the device preprocesses. Error{Shape} for an empty image and
// for a rule of another size; then nothing is submitted.
void submit(Plan& plan, const RunInputs& inputs);

}  // namespace tyto

// Plans of graphs, and images into plans: what pipelines and tests do with a Plan and users of the library
// cannot.
#pragma once

#include <span>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/images/preprocessing_rule.h"
#include "tyto/plan.h"

namespace tyto {

// graph: optimised, of one input.
Plan plan_graph(const Graph& graph, Context& context, Precision precision);

// Where plan.preprocesses(): submits the images, at most as many as the input has rows, preprocessed by the
// rule, whose size is the input's; the other rows are zero. The images may go when the call returns. Returns
// each image's geometry. Error{Shape} for an empty image; then nothing is submitted.
std::vector<Geometry> submit_images(Plan& plan, std::span<const Image> images, const Preprocessing& rule);

}  // namespace tyto

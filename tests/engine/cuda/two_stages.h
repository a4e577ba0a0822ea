// What the steps of a two-stage detector make of what a device made of the steps before, computed by the CPU:
// proposals hang on thresholds, so that two devices may well have others.
#pragma once

#include <algorithm>
#include <map>
#include <string>

#include "engine/graph/passes.h"
#include "engine/graph/rewrite.h"
#include "engine/runtime/plan_graph.h"
#include "support/compare.h"
#include "tyto/context.h"

namespace tyto {

using Outputs = std::map<std::string, Tensor>;

inline bool has_two_stages(const Graph& graph) {
  return std::ranges::any_of(graph.nodes(),
                             [](const Node& n) { return std::holds_alternative<DecodeRois>(n.op); });
}

// The node's step alone, of inputs that are named; the results of `node` go out as `output`.
class StepOnCpu {
 public:
  Value input(const std::string& name, const Tensor& tensor, bool counted = false) {
    inputs_.emplace(name, tensor.clone());
    return graph.input(name, tensor.shape(), Elements::F32, counted);
  }
  void count(const std::string& name, const Tensor& tensor) {
    inputs_.emplace(name + kCountSuffix, tensor.clone());
  }
  Outputs run() const {
    Context context({.device = "cpu", .threads = 2});
    Plan plan = plan_graph(graph, context, Precision::Fp32);
    Outputs out;
    for (const auto& [name, tensor] : plan.run(inputs_)) out.emplace(name, tensor.clone());
    return out;
  }

  Graph graph;

 private:
  Outputs inputs_;
};

inline const Nms& selection_named(const Graph& graph, const std::string& name) {
  for (const Node& node : graph.nodes())
    if (node.name == name && std::holds_alternative<Nms>(node.op)) return std::get<Nms>(node.op);
  throw Error(ErrorKind::Usage, "the graph has no selection of " + name);
}

inline Outputs proposals_of(const Graph& graph, const Outputs& got, const Tensor& sizes) {
  StepOnCpu step;
  const Value locations = step.input("locations", got.at("rpn_locations")),
              logits = step.input("logits", got.at("rpn_logits"));
  const auto [boxes, scores] =
      step.graph.decode_proposals(locations, logits, step.input("sizes", sizes),
                                  std::get<DecodeProposals>(only<DecodeProposals>(graph).op));
  step.graph.output("proposals",
                    step.graph.nms("proposals", boxes, scores, selection_named(graph, "proposals")));
  return step.run();
}

inline Outputs detections_in_proposals(const Graph& graph, const Outputs& got, const Tensor& sizes) {
  StepOnCpu step;
  const Value rois = step.input("proposals", got.at("proposals"), /*counted=*/true);
  step.count("proposals", got.at("proposals.count"));
  const Value boxes =
      step.graph.decode_rois(step.input("locations", got.at("locations")), rois, step.input("sizes", sizes),
                             std::get<DecodeRois>(only<DecodeRois>(graph).op));
  const Value scores = step.graph.class_scores(step.input("logits", got.at("logits")), {});
  step.graph.output("detections",
                    step.graph.nms("detections", boxes, scores, selection_named(graph, "detections")));
  return step.run();
}

// The graph with the proposals as an input; its outputs are what is made of them.
inline Graph after_proposals(const Graph& graph) {
  Rewrite rewrite(graph);
  for (size_t id = 0; id < graph.nodes().size(); ++id) {
    Node node = graph.nodes()[id];
    if (node.name == "proposals" && std::holds_alternative<Nms>(node.op))
      node = {.op = Input{node.shape(), Elements::F32, /*counted=*/true}, .name = "proposals"};
    rewrite.write(id, std::move(node));
  }
  NamedValues outputs;
  for (const auto& output : graph.outputs())
    if (output.first == "roi_features" || output.first == "locations" || output.first == "logits")
      outputs.push_back(output);
  return drop_dead(rewrite.finish(outputs));
}

// The rows of regions that there are; others mean nothing.
inline Tensor rows_that_there_are(const Tensor& all, const Tensor& counts) {
  Tensor kept = Tensor::zeros(DType::F32, all.shape());
  const Tensor values = all.to_f32();
  const auto samples = static_cast<size_t>(counts.dim(0));
  const size_t step = values.as<float>().size() / samples;
  const auto capacity =
      static_cast<size_t>(all.dim(0) == counts.dim(0) ? all.dim(1) : all.dim(0) / counts.dim(0));
  for (size_t i = 0; i < samples; ++i)
    std::copy_n(values.as<float>().begin() + static_cast<std::ptrdiff_t>(i * step),
                static_cast<size_t>(counts.as<int32_t>()[i]) * (step / capacity),
                kept.as<float>().begin() + static_cast<std::ptrdiff_t>(i * step));
  return kept;
}

}  // namespace tyto

// What a detector's last layers make of its heads, computed by the CPU's kernels: the truth for a device's
// detections.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "kernels/detection/nms.h"
#include "support/compare.h"

namespace tyto {

// outputs: those of a run, `locations` and `logits` among them. Returns `detections`.
inline Tensor detections_from_heads(const Graph& graph, const std::map<std::string, Tensor>& outputs) {
  const Node &decode = only<DecodeBoxes>(graph), &score = only<ClassScores>(graph),
             &select = only<Nms>(graph);
  Graph boxes_graph, scores_graph;
  const Value locations = boxes_graph.input("locations", outputs.at("locations").shape());
  boxes_graph.output("boxes", boxes_graph.decode_boxes(locations, decode.weights[0].load(),
                                                       std::get<DecodeBoxes>(decode.op)));
  const Value logits = scores_graph.input("logits", outputs.at("logits").shape());
  scores_graph.output("scores", scores_graph.class_scores(logits, std::get<ClassScores>(score.op)));
  OnCpu on_boxes(boxes_graph), on_scores(scores_graph);
  const Tensor& boxes = on_boxes.run(outputs.at("locations")).at("boxes");
  const Tensor& scores = on_scores.run(outputs.at("logits")).at("scores");

  const auto& op = std::get<Nms>(select.op);
  const int64_t n = scores.dim(0), classes = scores.dim(1), count = scores.dim(2);
  std::vector<std::byte> workspace(static_cast<size_t>(kernels::nms_workspace(op, n, classes, count, 1)));
  Tensor found(DType::F32, outputs.at("detections").shape());
  std::vector<int32_t> counts(static_cast<size_t>(n));
  kernels::nms_cpu({.boxes = boxes.as<float>().data(),
                    .scores = scores.as<float>().data(),
                    .n = n,
                    .classes = classes,
                    .count = count},
                   op, 1, workspace.data(), found.as<float>().data(), counts.data());
  return found;
}

}  // namespace tyto

#include <algorithm>

#include "engine/graph/passes.h"
#include "engine/graph/rewrite.h"

namespace tyto {

Graph fuse_residual(const Graph& graph) {
  const std::vector<int> readers = count_readers(graph);
  std::vector<int> add_of(graph.nodes().size(), -1);  // convolution -> the addition that it absorbs
  for (size_t id = 0; id < graph.nodes().size(); ++id) {
    const Node& node = graph.nodes()[id];
    if (!std::holds_alternative<Add>(node.op) || graph.shape(node.inputs[0]) != graph.shape(node.inputs[1]))
      continue;
    const auto later = static_cast<size_t>(std::max(node.inputs[0].node, node.inputs[1].node));
    const auto* conv = std::get_if<Conv2d>(&graph.nodes()[later].op);
    if (conv && conv->activation == Activation::None && graph.nodes()[later].inputs.size() == 1 &&
        readers[later] == 1)
      add_of[later] = static_cast<int>(id);
  }

  Rewrite rewrite(graph);
  for (size_t id = 0; id < graph.nodes().size(); ++id) {
    Node node = graph.nodes()[id];
    if (add_of[id] >= 0) {
      const Node& add = graph.nodes()[static_cast<size_t>(add_of[id])];
      const bool first = add.inputs[0].node == static_cast<int>(id);
      node.inputs.push_back(add.inputs[first ? 1 : 0]);
      std::get<Conv2d>(node.op).activation = std::get<Add>(add.op).activation;
    }
    if (std::holds_alternative<Add>(node.op)) {
      const int later = std::max(node.inputs[0].node, node.inputs[1].node);
      if (add_of[static_cast<size_t>(later)] == static_cast<int>(id)) {
        rewrite.replace(id, Value{later});
        continue;
      }
    }
    rewrite.write(id, std::move(node));
  }
  return rewrite.finish();
}

}  // namespace tyto

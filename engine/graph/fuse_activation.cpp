#include "engine/graph/passes.h"
#include "engine/graph/rewrite.h"

namespace tyto {

Graph fuse_activation(const Graph& graph) {
  const std::vector<int> readers = count_readers(graph);
  std::vector<Activation> own(graph.nodes().size(),
                              Activation::None);  // what each node takes over from its reader
  std::vector<bool> absorbed(graph.nodes().size());
  for (size_t id = 0; id < graph.nodes().size(); ++id) {
    const Node& node = graph.nodes()[id];
    const auto* activate = std::get_if<Activate>(&node.op);
    if (!activate) continue;
    const auto from = static_cast<size_t>(node.inputs[0].node);
    Operator op = graph.nodes()[from].op;
    const Activation* fused = fused_activation(op);
    if (!fused || *fused != Activation::None || std::holds_alternative<Activate>(op) || readers[from] != 1)
      continue;
    own[from] = activate->activation;
    absorbed[id] = true;
  }

  Rewrite rewrite(graph);
  for (size_t id = 0; id < graph.nodes().size(); ++id) {
    Node node = graph.nodes()[id];
    if (absorbed[id]) {
      rewrite.replace(id, node.inputs[0]);
      continue;
    }
    if (own[id] != Activation::None) *fused_activation(node.op) = own[id];
    rewrite.write(id, std::move(node));
  }
  return rewrite.finish();
}

}  // namespace tyto

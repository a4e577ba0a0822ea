#include "engine/graph/prologue.h"

#include <algorithm>

#include "engine/graph/rewrite.h"

namespace tyto {
namespace {

bool is_given(const Node& node) {
  return std::holds_alternative<Input>(node.op) || std::holds_alternative<Constant>(node.op);
}

bool is_steady_input(const Node& node) {
  const auto* const input = std::get_if<Input>(&node.op);
  return input && input->steady;
}

}  // namespace

std::vector<bool> prologue_of(const Graph& graph) {
  const std::vector<Node>& nodes = graph.nodes();
  std::vector<bool> prologue(nodes.size());
  if (std::ranges::none_of(nodes, is_steady_input)) return prologue;
  for (size_t id = 0; id < nodes.size(); ++id)
    prologue[id] = !is_given(nodes[id]) && std::ranges::all_of(nodes[id].inputs, [&](Value in) {
      const Node& from = graph.node(in);
      return prologue[static_cast<size_t>(in.node)] || is_steady_input(from) ||
             std::holds_alternative<Constant>(from.op);
    });
  return prologue;
}

Graph prologue_first(const Graph& graph) {
  const std::vector<bool> prologue = prologue_of(graph);
  Rewrite rewrite(graph);
  for (const bool first : {true, false})
    for (size_t id = 0; id < graph.nodes().size(); ++id)
      if ((is_given(graph.nodes()[id]) || prologue[id]) == first) rewrite.write(id, graph.nodes()[id]);
  return rewrite.finish();
}

}  // namespace tyto

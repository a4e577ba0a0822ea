#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "engine/graph/passes.h"
#include "engine/graph/rewrite.h"

namespace tyto {
namespace {

std::vector<std::pair<std::string, Value>> wanted_outputs(const Graph& graph,
                                                          const std::vector<std::string>& names) {
  if (names.empty()) return graph.outputs();
  std::vector<std::pair<std::string, Value>> wanted;
  for (const std::string& name : names) {
    const auto it = std::find_if(graph.outputs().begin(), graph.outputs().end(),
                                 [&](const auto& o) { return o.first == name; });
    if (it == graph.outputs().end()) {
      std::vector<std::string> have;
      for (const auto& output : graph.outputs()) have.push_back(output.first);
      throw Error(ErrorKind::Usage,
                  fmt::format("the network has no output '{}'; it has {}", name, fmt::join(have, ", ")));
    }
    wanted.push_back(*it);
  }
  return wanted;
}

}  // namespace

Graph drop_dead(const Graph& graph, const std::vector<std::string>& outputs) {
  const auto wanted = wanted_outputs(graph, outputs);
  std::vector<bool> alive(graph.nodes().size());
  for (const auto& [name, value] : wanted) alive[static_cast<size_t>(value.node)] = true;
  for (size_t id = graph.nodes().size(); id-- > 0;) {
    if (std::holds_alternative<Input>(graph.nodes()[id].op)) alive[id] = true;
    if (!alive[id]) continue;
    for (Value in : graph.nodes()[id].inputs) alive[static_cast<size_t>(in.node)] = true;
  }

  Rewrite rewrite(graph);
  for (size_t id = 0; id < graph.nodes().size(); ++id)
    if (alive[id]) rewrite.write(id, graph.nodes()[id]);
  return rewrite.finish(wanted);
}

}  // namespace tyto

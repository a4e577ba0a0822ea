// The copy loop that every pass shares.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/graph/graph.h"

namespace tyto {

// How many nodes and outputs read each node.
inline std::vector<int> count_readers(const Graph& graph) {
  std::vector<int> readers(graph.nodes().size());
  for (const Node& node : graph.nodes())
    for (Value in : node.inputs) ++readers[static_cast<size_t>(in.node)];
  for (const auto& [name, value] : graph.outputs()) ++readers[static_cast<size_t>(value.node)];
  return readers;
}

// A graph being written beside the one it is read from.
class Rewrite {
 public:
  explicit Rewrite(const Graph& from) : from_(from), now_(from.nodes().size()) {}

  Value now(Value old) const {
    const Value first = now_[static_cast<size_t>(old.node)];
    return {first.node, first.result + old.result};
  }

  // `node` reads old values; what is written stands for old node `id` from now on.
  Value write(size_t id, Node node) {
    for (Value& in : node.inputs) in = now(in);
    return now_[id] = to_.append(std::move(node));
  }
  void replace(size_t id, Value old) { now_[id] = now(old); }  // readers of `id` read `old` instead

  Graph finish() { return finish(from_.outputs()); }
  Graph finish(const std::vector<std::pair<std::string, Value>>& outputs) {
    for (const auto& [name, value] : outputs) to_.output(name, now(value));
    return std::move(to_);
  }

 private:
  const Graph& from_;
  Graph to_;
  std::vector<Value> now_;  // first results, by old node; of what is replaced, the one that is read instead
};

}  // namespace tyto

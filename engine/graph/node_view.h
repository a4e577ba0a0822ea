// What the rules of shapes ask of a node that is about to be appended.
#pragma once

#include <fmt/format.h>

#include <string>

#include "engine/graph/graph.h"

namespace tyto {

// One rule's view of its node; messages name the layer.
struct NodeView {
  const Graph& graph;
  const Node& node;

  const Result& input(size_t i) const { return graph.result(node.inputs[i]); }
  const Shape& in(size_t i) const { return input(i).shape; }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::Shape, fmt::format("layer '{}' ({}): {}", node.name, name_of(node.op), what));
  }

  // "a map [2, 64, 7, 7] of activations", "rows [2, 10] of I32"
  std::string described(size_t i) const {
    return fmt::format("{} {} of {}", input(i).kind == Kind::Map ? "a map" : "rows", in(i).str(),
                       name_of(input(i).elements));
  }

  const Shape& map(size_t i = 0) const {
    if (input(i).kind != Kind::Map)
      fail(fmt::format("needs a map [N, C, H, W], but its input is {}", described(i)));
    return in(i);
  }

  const Shape& rows(size_t i, Elements elements, const char* wanted) const {
    if (input(i).kind != Kind::Rows || input(i).elements != elements)
      fail(fmt::format("needs {}, rows of {}, but its input is {}", wanted, name_of(elements), described(i)));
    return in(i);
  }

  // Inputs that are computed with: none of indices, all of the first one's elements.
  void check_numbers() const {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (input(i).elements == Elements::I32) fail(fmt::format("cannot compute with {}", described(i)));
      if (input(i).elements != input(0).elements)
        fail(fmt::format("cannot take {} and {}; cast one", described(0), described(i)));
    }
  }

  // Numbers of the first input's elements, kind and count.
  Result like(const Shape& shape) const {
    check_numbers();
    Result result = input(0);
    result.shape = shape;
    return result;
  }
  Result map_of(const Shape& shape) const {
    check_numbers();
    return {shape, input(0).elements, Kind::Map, input(0).count};
  }

  // Another result of this node.
  Value own(int result) const { return {static_cast<int>(graph.nodes().size()), result}; }
};

}  // namespace tyto

#include "engine/reference/reference.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/reference/operators.h"

namespace tyto {
namespace {

template <class T>
Tensor tensor_of(const Array& a) {
  Tensor t(dtype_of<T>(), a.shape);
  std::transform(a.values.begin(), a.values.end(), t.as<T>().begin(),
                 [](double v) { return static_cast<T>(v); });
  return t;
}

}  // namespace

Results reference(const Input&, const Call& call) { return call.result(); }  // given, not computed

TensorsByName run_reference(const Graph& graph, const TensorsByName& inputs,
                            const std::function<void()>& poll) {
  std::vector<Results> values;
  const auto value = [&](Value v) -> const Array& {
    return values[static_cast<size_t>(v.node)][static_cast<size_t>(v.result)];
  };
  for (const Node& node : graph.nodes()) {
    if (poll) poll();
    Call call{node, {}};
    for (Value v : node.inputs) call.in.push_back(&value(v));
    call.is_map = !node.inputs.empty() && graph.result(node.inputs[0]).kind == Kind::Map;
    if (const auto* input = std::get_if<Input>(&node.op)) {
      values.emplace_back(array_of(inputs.at(node.name)));
      if (input->counted) values.back().push_back(array_of(inputs.at(node.name + kCountSuffix)));
    } else {
      values.push_back(std::visit([&](const auto& op) { return reference(op, call); }, node.op));
    }
  }
  TensorsByName out;
  for (const auto& [name, v] : graph.outputs())
    out.emplace(name, graph.result(v).elements == Elements::I32 ? tensor_of<int32_t>(value(v))
                                                                : tensor_of<float>(value(v)));
  return out;
}

TensorsByName run_reference(const Graph& graph, const Tensor& input, const std::function<void()>& poll) {
  return run_reference(graph, TensorsByName{{graph.inputs().at(0).first, input}}, poll);
}

}  // namespace tyto

#include "engine/reference/reference.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/reference/operators.h"

namespace tyto {

Array reference(const Input&, const Call& call) { return call.result(); }  // given, not computed

std::map<std::string, Tensor> run_reference(const Graph& graph, const Tensor& input,
                                            const std::function<void()>& poll) {
  std::vector<Array> values;
  for (const Node& node : graph.nodes()) {
    if (poll) poll();
    Call call{node, {}};
    for (Value v : node.inputs) call.in.push_back(&values[static_cast<size_t>(v.node)]);
    values.push_back(std::holds_alternative<Input>(node.op)
                         ? array_of(input)
                         : std::visit([&](const auto& op) { return reference(op, call); }, node.op));
  }
  std::map<std::string, Tensor> out;
  for (const auto& [name, value] : graph.outputs()) {
    const Array& a = values[static_cast<size_t>(value.node)];
    Tensor t(DType::F32, a.shape);
    std::transform(a.values.begin(), a.values.end(), t.as<float>().begin(),
                   [](double v) { return static_cast<float>(v); });
    out.emplace(name, std::move(t));
  }
  return out;
}

}  // namespace tyto

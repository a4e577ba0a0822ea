#include "engine/graph/graph.h"

#include <fmt/format.h>

namespace tyto {
namespace {

std::string layer(const Weights& w) {
  return w.path().empty() ? "" : w.path().substr(0, w.path().size() - 1);
}

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

}  // namespace

std::string_view name_of(const Operator& op) {
  return std::visit(Overloaded{
                        [](const Input&) { return "input"; },
                        [](const Conv2d&) { return "conv2d"; },
                        [](const Linear&) { return "linear"; },
                        [](const BatchNorm&) { return "batch_norm"; },
                        [](const InstanceNorm&) { return "instance_norm"; },
                        [](const Add&) { return "add"; },
                        [](const Activate&) { return "activate"; },
                        [](const MaxPool&) { return "max_pool"; },
                        [](const AdaptiveAveragePool&) { return "adaptive_average_pool"; },
                        [](const Flatten&) { return "flatten"; },
                    },
                    op);
}

std::string_view name_of(Activation activation) {
  switch (activation) {
    case Activation::None:
      return "none";
    case Activation::Relu:
      return "relu";
    case Activation::Relu6:
      return "relu6";
  }
  return "?";
}

Activation* fused_activation(Operator& op) {
  return std::visit(
      [](auto& o) -> Activation* {
        if constexpr (requires { o.activation; })
          return &o.activation;
        else
          return nullptr;
      },
      op);
}

Value Graph::append(Node node) {
  node.shape = infer_shape(*this, node);
  nodes_.push_back(std::move(node));
  return {static_cast<int>(nodes_.size()) - 1};
}

Value Graph::input(const std::string& name, const Shape& shape) {
  Node node{.op = Input{}, .shape = shape, .name = name};
  return append(std::move(node));
}

Value Graph::conv2d(Value x, const Weights& w, const Conv2d& op) {
  std::vector<Weight> weights = {w("weight", {any, channels(x) / op.groups, op.kernel, op.kernel})};
  if (w.has("bias")) weights.push_back(w("bias", {weights[0].dim(0)}));
  return append({.op = op, .inputs = {x}, .weights = std::move(weights), .name = layer(w)});
}

Value Graph::linear(Value x, const Weights& w) {
  if (shape(x).rank() != 2) x = flatten(x);
  std::vector<Weight> weights = {w("weight", {any, channels(x)})};
  if (w.has("bias")) weights.push_back(w("bias", {weights[0].dim(0)}));
  return append({.op = Linear{}, .inputs = {x}, .weights = std::move(weights), .name = layer(w)});
}

Value Graph::batch_norm(Value x, const Weights& w, const BatchNorm& op) {
  const int64_t c = channels(x) - op.first_channel;
  w.expect_unused("num_batches_tracked");
  std::vector<Weight> weights = {w("weight", {c}), w("bias", {c}), w("running_mean", {c}),
                                 w("running_var", {c})};
  return append({.op = op, .inputs = {x}, .weights = std::move(weights), .name = layer(w)});
}

Value Graph::instance_norm(Value x, const Weights& w, const InstanceNorm& op) {
  std::vector<Weight> weights = {w("weight", {any})};
  weights.push_back(w("bias", {weights[0].dim(0)}));
  return append({.op = op, .inputs = {x}, .weights = std::move(weights), .name = layer(w)});
}

Value Graph::add(Value a, Value b) {
  return append({.op = Add{}, .inputs = {a, b}, .name = node(a).name + "+"});
}

Value Graph::activate(Value x, Activation activation) {
  return append({.op = Activate{activation}, .inputs = {x}, .name = node(x).name});
}

Value Graph::max_pool(Value x, const MaxPool& op) {
  return append({.op = op, .inputs = {x}, .name = fmt::format("max_pool after {}", node(x).name)});
}

Value Graph::adaptive_average_pool(Value x, const AdaptiveAveragePool& op) {
  return append({.op = op, .inputs = {x}, .name = fmt::format("average_pool after {}", node(x).name)});
}

Value Graph::flatten(Value x) { return append({.op = Flatten{}, .inputs = {x}, .name = node(x).name}); }

void Graph::output(const std::string& name, Value x) { outputs_.emplace_back(name, x); }

}  // namespace tyto

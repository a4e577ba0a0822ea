// W' = W * gamma / sqrt(var + epsilon), b' = beta + (b - mean) * gamma / sqrt(var + epsilon), per output
// channel.
#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "engine/graph/batch_norm_affine.h"
#include "engine/graph/passes.h"
#include "engine/graph/rewrite.h"

namespace tyto {
namespace {

bool foldable(const Node& node) {
  if (const auto* conv = std::get_if<Conv2d>(&node.op))
    return conv->activation == Activation::None && node.inputs.size() == 1;
  if (const auto* linear = std::get_if<Linear>(&node.op)) return linear->activation == Activation::None;
  return false;
}

void check_folded(const Tensor& folded, const std::string& layer) {
  for (float v : folded.as<float>())
    if (!std::isfinite(v))
      throw Error(
          ErrorKind::Format,
          fmt::format(
              "batch norm '{}' folds to values that are not finite; its running_var is negative or huge",
              layer));
}

// What folding takes from a norm beside its weights: part of the key, so that another fold of the same
// tensors is another weight.
std::string folded_key(const Node& norm) {
  const auto& op = std::get<BatchNorm>(norm.op);
  return fmt::format("{} (epsilon {}, from {})", norm.weights[0].key(), op.epsilon, op.first_channel);
}

Weight folded_weight(const Node& layer, const Node& norm) {
  const Weight& weight = layer.weights[0];
  return Weight(weight.owner(), weight.key() + " * " + folded_key(norm), weight.shape(), [weight, norm] {
    Tensor values = weight.load().clone();
    const std::vector<double> scale = batch_norm_scales(norm, weight.dim(0));
    const int64_t row = values.elements() / std::max<int64_t>(1, weight.dim(0));
    float* v = values.as<float>().data();
    for (double s : scale)
      for (int64_t i = 0; i < row; ++i, ++v) *v = static_cast<float>(*v * s);
    check_folded(values, norm.name);
    return values;
  });
}

Weight folded_bias(const Node& layer, const Node& norm) {
  std::optional<Weight> bias;
  if (layer.weights.size() > 1) bias = layer.weights[1];
  const int64_t channels = layer.weights[0].dim(0);
  return Weight(layer.weights[0].owner(), layer.weights[0].key() + " bias * " + folded_key(norm),
                Shape{channels}, [bias, norm, channels] {
                  Tensor values = bias ? bias->load().clone() : Tensor::zeros(DType::F32, {channels});
                  const std::vector<double> scale = batch_norm_scales(norm, channels);
                  const Tensor beta = norm.weights[1].load(), mean = norm.weights[2].load();
                  const int64_t first = std::get<BatchNorm>(norm.op).first_channel;
                  for (int64_t c = first; c < channels; ++c) {
                    const auto i = static_cast<size_t>(c - first);
                    float& v = values.as<float>()[static_cast<size_t>(c)];
                    v = static_cast<float>(beta.as<float>()[i] +
                                           (double{v} - mean.as<float>()[i]) * scale[static_cast<size_t>(c)]);
                  }
                  check_folded(values, norm.name);
                  return values;
                });
}

}  // namespace

Graph fold_batch_norm(const Graph& graph) {
  const std::vector<int> readers = count_readers(graph);
  std::vector<int> norm_of(graph.nodes().size(), -1);  // layer -> the batch norm that it absorbs
  for (size_t id = 0; id < graph.nodes().size(); ++id) {
    const Node& node = graph.nodes()[id];
    if (!std::holds_alternative<BatchNorm>(node.op)) continue;
    const auto layer = static_cast<size_t>(node.inputs[0].node);
    if (readers[layer] == 1 && foldable(graph.nodes()[layer])) norm_of[layer] = static_cast<int>(id);
  }

  Rewrite rewrite(graph);
  for (size_t id = 0; id < graph.nodes().size(); ++id) {
    Node node = graph.nodes()[id];
    if (norm_of[id] >= 0) {
      const Node& norm = graph.nodes()[static_cast<size_t>(norm_of[id])];
      node.weights = {folded_weight(node, norm), folded_bias(node, norm)};
      *fused_activation(node.op) = std::get<BatchNorm>(norm.op).activation;
    }
    const bool absorbed = std::holds_alternative<BatchNorm>(node.op) &&
                          norm_of[static_cast<size_t>(node.inputs[0].node)] == static_cast<int>(id);
    if (absorbed)
      rewrite.replace(id, node.inputs[0]);
    else
      rewrite.write(id, std::move(node));
  }
  return rewrite.finish();
}

}  // namespace tyto

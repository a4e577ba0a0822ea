#include "engine/graph/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "files/named.h"

namespace tyto {
namespace {

std::string layer(const Weights& w) {
  return w.path().empty() ? "" : w.path().substr(0, w.path().size() - 1);
}

std::vector<Weight> affine(const Weights& w, int64_t channels) {
  return {w("weight", {channels}), w("bias", {channels})};
}

}  // namespace

std::string_view name_of(const Operator& op) {
#define TYTO_NAME(Operator, name) name,
  static constexpr std::string_view kNames[] = {TYTO_OPERATORS(TYTO_NAME)};
#undef TYTO_NAME
  return kNames[op.index()];
}

std::string_view name_of(Activation activation) {
  static constexpr Named<Activation> kNames[] = {{"none", Activation::None},
                                                 {"relu", Activation::Relu},
                                                 {"relu6", Activation::Relu6},
                                                 {"hard_sigmoid", Activation::HardSigmoid},
                                                 {"hard_swish", Activation::HardSwish},
                                                 {"sigmoid", Activation::Sigmoid},
                                                 {"tanh", Activation::Tanh},
                                                 {"silu", Activation::Silu},
                                                 {"gelu", Activation::GeluErf},
                                                 {"gelu_tanh", Activation::GeluTanh}};
  return name_in(kNames, activation);
}

std::string_view name_of(Elements elements) {
  static constexpr Named<Elements> kNames[] = {
      {"activations", Elements::Activation}, {"F32", Elements::F32}, {"I32", Elements::I32}};
  return name_in(kNames, elements);
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

kernels::UpsampleSteps upsample_steps(const Upsample& op, const Shape& input) {
  const bool given = op.scale > 0 && op.mode != kernels::Upsampling::BilinearCorners;
  if (given) return {1 / op.scale, 1 / op.scale};
  return {kernels::upsample_step(op.mode, input[2], op.height),
          kernels::upsample_step(op.mode, input[3], op.width)};
}

Padding same_padding(const Shape& x, int kernel, int stride) {
  const auto total = [&](int64_t size) {
    const int64_t cells = (size + stride - 1) / stride;
    return static_cast<int>(std::max<int64_t>(0, (cells - 1) * stride + kernel - size));
  };
  const int vertical = total(x[2]), horizontal = total(x[3]);
  return {vertical / 2, horizontal / 2, vertical - vertical / 2, horizontal - horizontal / 2};
}

Value Graph::append(Node node) {
  node.results = infer_results(*this, node);
  nodes_.push_back(std::move(node));
  return {static_cast<int>(nodes_.size()) - 1};
}

Value Graph::apply(const Operator& op, std::vector<Value> inputs, std::vector<Weight> weights) {
  // After the layer that stands before all that is not named after one: "slice after conv1".
  std::string layer = node(inputs[0]).name;
  constexpr std::string_view kAfter = " after ";
  if (const size_t at = layer.rfind(kAfter); at != std::string::npos) layer.erase(0, at + kAfter.size());
  const std::string name = fmt::format("{}{}{}", name_of(op), kAfter, layer);
  return append({.op = op, .inputs = std::move(inputs), .weights = std::move(weights), .name = name});
}

Value Graph::input(const std::string& name, const Shape& shape, Elements elements, bool counted,
                   bool steady) {
  for (const auto& [other, value] : inputs())
    if (other == name || (counted && other == name + kCountSuffix))
      throw Error(ErrorKind::Usage, fmt::format("two inputs of the network are called '{}'", other));
  return append({.op = Input{shape, elements, counted, steady}, .name = name});
}

NamedValues Graph::inputs() const {
  NamedValues inputs;
  for (size_t id = 0; id < nodes_.size(); ++id) {
    if (!std::holds_alternative<Input>(nodes_[id].op)) continue;
    const Value value{static_cast<int>(id)};
    inputs.emplace_back(nodes_[id].name, value);
    if (const auto count = result(value).count) inputs.emplace_back(nodes_[id].name + kCountSuffix, *count);
  }
  return inputs;
}

Value Graph::cast(Value x, Elements elements) {
  if (result(x).elements == elements) return x;
  return append({.op = Cast{elements}, .inputs = {x}, .name = node(x).name});
}

Value Graph::to_map(Value x, Channels channels) {
  return append({.op = ToMap{channels}, .inputs = {x}, .name = node(x).name});
}

Value Graph::to_rows(Value x, Channels channels) {
  return append({.op = ToRows{channels}, .inputs = {x}, .name = node(x).name});
}

Value Graph::conv2d(Value x, const Weights& w, const Conv2d& op, Bias bias, int64_t outputs) {
  std::vector<Weight> weights = {w("weight", {outputs, channels(x) / op.groups, op.kernel, op.kernel})};
  if (bias == Bias::Required || w.has("bias")) weights.push_back(w("bias", {weights[0].dim(0)}));
  return append({.op = op, .inputs = {x}, .weights = std::move(weights), .name = layer(w)});
}

Value Graph::linear(Value x, const Weights& w) {
  const Shape& in = shape(x);
  const int64_t width = in.rank() == 0 ? 0 : in[in.rank() - 1];
  std::vector<Weight> weights = {
      w("weight", {any, result(x).kind == Kind::Map ? in[1] * in[2] * in[3] : width})};
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

Value Graph::sub(Value a, Value b) {
  return append({.op = Sub{}, .inputs = {a, b}, .name = node(a).name + "-"});
}

Value Graph::mul(Value a, Value b) {
  return append({.op = Mul{}, .inputs = {a, b}, .name = node(a).name + "*"});
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

Value Graph::average_pool(Value x, const AveragePool& op) { return apply(op, {x}); }

Value Graph::constant(const Weight& values, Elements elements) {
  return append({.op = Constant{elements}, .weights = {values}, .name = values.key()});
}

Value Graph::reshape(Value x, const Shape& shape) { return apply(Reshape{shape}, {x}); }
Value Graph::permute(Value x, const std::vector<int>& order) { return apply(Permute{order}, {x}); }
Value Graph::concat(const std::vector<Value>& values, int axis) { return apply(Concat{axis}, values); }
Value Graph::slice(Value x, int axis, int64_t first, int64_t count) {
  return apply(Slice{axis, first, count}, {x});
}
Value Graph::expand(Value x, const Shape& shape) { return apply(Expand{shape}, {x}); }
Value Graph::softmax(Value x, int axis) { return apply(Softmax{axis}, {x}); }
Value Graph::reduce(Value x, const Reduce& op) { return apply(op, {x}); }
Value Graph::matmul(Value a, Value b, const MatMul& op) { return apply(op, {a, b}); }

Value Graph::attention(const std::string& name, std::vector<Value> inputs, const Attention& op) {
  return append({.op = op, .inputs = std::move(inputs), .name = name});
}

Value Graph::position_attention(Value q, Value k, Value v, Value x, const Weight& gamma) {
  return append({.op = PositionAttention{}, .inputs = {q, k, v, x}, .weights = {gamma}, .name = gamma.key()});
}

Value Graph::layer_norm(Value x, const Weights& w, const LayerNorm& op) {
  const Shape& in = shape(x);
  return append({.op = op,
                 .inputs = {x},
                 .weights = affine(w, in.rank() == 0 ? 0 : in[in.rank() - 1]),
                 .name = layer(w)});
}

Value Graph::group_norm(Value x, const Weights& w, const GroupNorm& op) {
  return append({.op = op, .inputs = {x}, .weights = affine(w, channels(x)), .name = layer(w)});
}

Value Graph::l2_normalize(Value x, const Weight& scale, const L2Normalize& op) {
  return append({.op = op, .inputs = {x}, .weights = {scale}, .name = scale.key()});
}

Value Graph::concat_maps(const std::string& name, const std::vector<Value>& maps, int values) {
  return append({.op = ConcatMaps{values}, .inputs = maps, .name = name});
}

Value Graph::decode_boxes(Value offsets, const Tensor& anchors, const DecodeBoxes& op) {
  return append(
      {.op = op, .inputs = {offsets}, .weights = {tyto::constant("anchors", anchors)}, .name = "boxes"});
}

Value Graph::class_scores(Value logits, const ClassScores& op) {
  return append({.op = op, .inputs = {logits}, .name = "scores"});
}

Value Graph::nms(const std::string& name, Value boxes, Value scores, const Nms& op) {
  std::vector<Value> inputs = {boxes, scores};
  const auto& count = result(boxes).count ? result(boxes).count : result(scores).count;
  if (count) inputs.push_back(*count);
  return append({.op = op, .inputs = std::move(inputs), .name = name});
}

Graph::ScoredBoxes Graph::decode_proposals(Value offsets, Value logits, Value sizes,
                                           const DecodeProposals& op) {
  const Value boxes = append({.op = op, .inputs = {offsets, logits, sizes}, .name = "proposals"});
  return {boxes, {boxes.node, 1}};
}

Value Graph::roi_pool(Value rois, const std::vector<Value>& maps, const RoiPool& op) {
  std::vector<Value> inputs = {rois};
  inputs.insert(inputs.end(), maps.begin(), maps.end());
  return append({.op = op, .inputs = std::move(inputs), .name = "roi_pool"});
}

Value Graph::roi_align(Value rois, const std::vector<Value>& maps, const RoiAlign& op) {
  std::vector<Value> inputs = {rois};
  inputs.insert(inputs.end(), maps.begin(), maps.end());
  return append({.op = op, .inputs = std::move(inputs), .name = "roi_align"});
}

Value Graph::decode_rois(Value offsets, Value rois, Value sizes, const DecodeRois& op) {
  return append({.op = op, .inputs = {offsets, rois, sizes}, .name = "boxes"});
}

Graph::BevIndexValues Graph::bev_index(const std::string& name, Value intrinsics, Value camera_to_grid,
                                       Value image_augmentation, const BevIndexing& op) {
  const Value starts =
      append({.op = op, .inputs = {intrinsics, camera_to_grid, image_augmentation}, .name = name});
  return {starts, {starts.node, 1}};
}

Value Graph::bev_pool(const std::string& name, Value depth, Value features, BevIndexValues index,
                      const BevPool& op) {
  return append({.op = op, .inputs = {depth, features, index.cell_starts, index.runs}, .name = name});
}

Value Graph::flip_horizontal(Value x) {
  return append({.op = FlipHorizontal{}, .inputs = {x}, .name = node(x).name + " mirrored"});
}

Value Graph::rescale_bicubic(Value x, double factor) {
  return append({.op = RescaleBicubic{factor}, .inputs = {x}, .name = node(x).name + " rescaled"});
}

Value Graph::normalized_sum(const std::string& name, const std::vector<Value>& features) {
  return append({.op = NormalizedSum{}, .inputs = features, .name = name});
}

void Graph::output(const std::string& name, Value x) {
  for (const auto& [other, value] : outputs_)
    if (other == name) {
      if (value == x) return;
      throw Error(ErrorKind::Usage, fmt::format("two outputs of the network are called '{}'", name));
    }
  outputs_.emplace_back(name, x);
  if (const auto count = result(x).count) outputs_.emplace_back(name + kCountSuffix, *count);
}

}  // namespace tyto

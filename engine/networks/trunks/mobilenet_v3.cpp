#include "engine/networks/trunks/mobilenet_v3.h"

#include <fmt/format.h>

#include "engine/networks/trunks/conv_norm.h"

namespace tyto {
namespace {

struct Block {
  int kernel, stride;
  bool squeezes;  // squeeze-and-excitation behind the depthwise convolution
  Activation activation;
  bool expands = true;
};
constexpr Activation kRelu = Activation::Relu, kSwish = Activation::HardSwish;
constexpr Block kBlocks[] = {{3, 1, false, kRelu, false}, {3, 2, false, kRelu},  {3, 1, false, kRelu},
                             {5, 2, true, kRelu},         {5, 1, true, kRelu},   {5, 1, true, kRelu},
                             {3, 2, false, kSwish},       {3, 1, false, kSwish}, {3, 1, false, kSwish},
                             {3, 1, false, kSwish},       {3, 1, true, kSwish},  {3, 1, true, kSwish}};
constexpr Block kCutBlock = {5, 2, true, kSwish};  // its expansion ends the first half
constexpr Block kLastBlocks[] = {{5, 1, true, kSwish}, {5, 1, true, kSwish}};

Value squeeze_and_excite(Graph& g, const Weights& w, Value x) {
  Value s = g.relu(g.conv2d(g.global_average_pool(x), w.scope("fc1"), {.kernel = 1}, Graph::Bias::Required));
  s = g.activate(g.conv2d(s, w.scope("fc2"), {.kernel = 1}, Graph::Bias::Required), Activation::HardSigmoid);
  return g.mul(x, s);
}

// A block behind its expansion: layers `first` and on under w.
Value contract(Graph& g, const Weights& w, Value x, const Block& block, int first, const NormStyle& style) {
  int layer = first;
  const auto next = [&] { return w.scope(std::to_string(layer++)); };
  x = depthwise_norm_activation(g, next(), x, {.kernel = block.kernel, .stride = block.stride},
                                block.activation, style);
  if (block.squeezes) x = squeeze_and_excite(g, next(), x);
  return conv_norm_activation(g, next(), x, {.kernel = 1}, Activation::None, style);
}

Value inverted_residual(Graph& g, const Weights& w, Value x, const Block& block, const NormStyle& style) {
  Value y = x;
  if (block.expands) y = conv_norm_activation(g, w.scope("0"), y, {.kernel = 1}, block.activation, style);
  y = contract(g, w, y, block, block.expands ? 1 : 0, style);
  return block.stride == 1 && g.channels(x) == g.channels(y) ? g.add(x, y) : y;
}

}  // namespace

std::vector<Value> mobilenet_v3_large_maps(Graph& g, const Weights& w, Value image) {
  constexpr NormStyle style = {.epsilon = 1e-3f};
  int index = 0;
  const auto layer = [&](int half) { return w.scope(fmt::format("{}.{}", half, index++)); };
  Value x = conv_norm_activation(g, layer(0), image, {.kernel = 3, .stride = 2}, kSwish, style);
  for (const Block& block : kBlocks) x = inverted_residual(g, layer(0).scope("block"), x, block, style);
  const Value expanded = conv_norm_activation(g, layer(0), x, {.kernel = 1}, kCutBlock.activation, style);
  index = 0;
  x = contract(g, layer(1), expanded, kCutBlock, 1, style);
  for (const Block& block : kLastBlocks) x = inverted_residual(g, layer(1).scope("block"), x, block, style);
  return {expanded, conv_norm_activation(g, layer(1), x, {.kernel = 1}, kSwish, style)};
}

std::vector<Value> mobilenet_v3_large_last_maps(Graph& g, const Weights& w, Value image, float epsilon) {
  const NormStyle style = {.epsilon = epsilon};
  int index = 0;
  const auto layer = [&] { return w.scope(std::to_string(index++)); };
  Value x = conv_norm_activation(g, layer(), image, {.kernel = 3, .stride = 2}, kSwish, style);
  for (const Block& block : kBlocks) x = inverted_residual(g, layer().scope("block"), x, block, style);
  const Value cut = inverted_residual(g, layer().scope("block"), x, kCutBlock, style);
  x = cut;
  for (const Block& block : kLastBlocks) x = inverted_residual(g, layer().scope("block"), x, block, style);
  return {cut, conv_norm_activation(g, layer(), x, {.kernel = 1}, kSwish, style)};
}

}  // namespace tyto

#include "engine/networks/trunks/mobilenet_v2.h"

#include <fmt/format.h>

namespace tyto {
namespace {

struct Stage {
  int blocks, stride;
};
constexpr std::array<Stage, 7> kStages = {{{1, 1}, {2, 2}, {3, 2}, {4, 2}, {3, 1}, {3, 2}, {1, 1}}};
constexpr int kExpandedBlock = 14;  // the first of stride 32

Value relu6(Graph& g, Value x) { return g.activate(x, Activation::Relu6); }

struct Block {
  Value expanded, out;
};

Block inverted_residual(Graph& g, const Weights& w, const MobileNetV2Names& names, const NormStyle& style,
                        Value x, int stride, bool expands) {
  const auto layer = [&](const char* conv, const char* norm, Value from, const Conv2d& op) {
    return conv_norm(g, w.scope(conv), w.scope(norm), from, op, style);
  };
  Value y = x;
  if (expands) y = relu6(g, layer(names.convolution[0], names.norm[0], y, {.kernel = 1}));
  const Value expanded = y;
  const int hidden = static_cast<int>(g.channels(y));
  y = relu6(g, layer(expands ? names.convolution[1] : names.bare_convolution[0],
                     expands ? names.norm[1] : names.bare_norm[0], y,
                     {.kernel = 3, .stride = stride, .groups = hidden}));
  y = layer(expands ? names.convolution[2] : names.bare_convolution[1],
            expands ? names.norm[2] : names.bare_norm[1], y, {.kernel = 1});
  return {expanded, stride == 1 && g.channels(x) == g.channels(y) ? g.add(x, y) : y};
}

}  // namespace

const MobileNetV2Names kNestedNames = {{"conv.0.0", "conv.1.0", "conv.2"},
                                       {"conv.0.1", "conv.1.1", "conv.3"},
                                       {"conv.0.0", "conv.1"},
                                       {"conv.0.1", "conv.2"}};
const MobileNetV2Names kFlatNames = {{"conv.0", "conv.3", "conv.6"},
                                     {"conv.1", "conv.4", "conv.7"},
                                     {"conv.0", "conv.3"},
                                     {"conv.1", "conv.4"}};

MobileNetV2Maps mobilenet_v2_trunk(Graph& g, const Weights& w, const MobileNetV2Names& names,
                                   const NormStyle& style, Value image) {
  const auto features = [&](int i) { return w.scope(fmt::format("features.{}", i)); };
  MobileNetV2Maps maps;
  Value x = conv_norm_activation(g, features(0), image, {.kernel = 3, .stride = 2}, Activation::Relu6, style);
  int index = 1;
  for (const Stage& stage : kStages)
    for (int block = 0; block < stage.blocks; ++block, ++index) {
      const Block b =
          inverted_residual(g, features(index), names, style, x, block == 0 ? stage.stride : 1, index > 1);
      if (index == kExpandedBlock) maps.expanded = b.expanded;
      x = b.out;
    }
  maps.last = conv_norm_activation(g, features(index), x, {.kernel = 1}, Activation::Relu6, style);
  return maps;
}

}  // namespace tyto

#include "engine/networks/trunks/efficientnet.h"

#include <fmt/format.h>

#include <cmath>

namespace tyto {
namespace {

struct Stage {
  int blocks, kernel, stride;  // the stride is the first block's
  bool expands = true;
};
constexpr Stage kStages[] = {{1, 3, 1, false}, {2, 3, 2}, {2, 5, 2}, {3, 3, 2},
                             {3, 5, 1},        {4, 5, 2}, {1, 3, 1}};

constexpr float kEpsilon = 1e-3f;  // of the batch norms

int blocks_of(const Stage& stage, double depth) { return static_cast<int>(std::ceil(depth * stage.blocks)); }

// TensorFlow's padding of a square image, whose side becomes that of the result.
Padding padding_for(int& side, int kernel, int stride) {
  const Padding padding = same_padding({1, 1, side, side}, kernel, stride);
  side = (side + stride - 1) / stride;
  return padding;
}

Value norm_swish(Graph& g, const Weights& norm, Value x) {
  return g.activate(g.batch_norm(x, norm, {.epsilon = kEpsilon}), Activation::Silu);
}

Value squeeze_and_excite(Graph& g, const Weights& w, Value x) {
  Value s = g.conv2d(g.global_average_pool(x), w.scope("_se_reduce"), {}, Graph::Bias::Required);
  s = g.conv2d(g.activate(s, Activation::Silu), w.scope("_se_expand"), {}, Graph::Bias::Required);
  return g.mul(x, g.activate(s, Activation::Sigmoid));
}

// side: of the image that paddings are laid for
Value inverted_residual(Graph& g, const Weights& w, Value x, const Stage& stage, int stride, int& side) {
  Value y = x;
  if (stage.expands) y = norm_swish(g, w.scope("_bn0"), g.conv2d(y, w.scope("_expand_conv"), {}));
  const Conv2d depthwise = {.kernel = stage.kernel,
                            .stride = stride,
                            .padding = padding_for(side, stage.kernel, stride),
                            .groups = static_cast<int>(g.channels(y))};
  y = norm_swish(g, w.scope("_bn1"), g.conv2d(y, w.scope("_depthwise_conv"), depthwise));
  y = squeeze_and_excite(g, w, y);
  y = g.batch_norm(g.conv2d(y, w.scope("_project_conv"), {}), w.scope("_bn2"), {.epsilon = kEpsilon});
  return stride == 1 && g.channels(x) == g.channels(y) ? g.add(y, x) : y;
}

}  // namespace

int efficientnet_blocks(const EfficientNetScale& scale) {
  int blocks = 0;
  for (const Stage& stage : kStages) blocks += blocks_of(stage, scale.depth);
  return blocks;
}

std::array<Value, 5> efficientnet_trunk(Graph& g, const Weights& w, Value image,
                                        const EfficientNetScale& scale) {
  std::array<Value, 5> maps;
  size_t halved = 0;
  int side = scale.side, block = 0;
  const Conv2d stem = {.kernel = 3, .stride = 2, .padding = padding_for(side, 3, 2)};
  Value x = norm_swish(g, w.scope("_bn0"), g.conv2d(image, w.scope("_conv_stem"), stem));
  for (const Stage& stage : kStages)
    for (int i = 0; i < blocks_of(stage, scale.depth); ++i) {
      const int stride = i == 0 ? stage.stride : 1;
      if (stride == 2) maps[halved++] = x;
      x = inverted_residual(g, w.scope(fmt::format("_blocks.{}", block++)), x, stage, stride, side);
    }
  maps[halved] = x;
  return maps;
}

Value efficientnet_head(Graph& g, const Weights& w, Value map) {
  return norm_swish(g, w.scope("_bn1"), g.conv2d(map, w.scope("_conv_head"), {}));
}

}  // namespace tyto

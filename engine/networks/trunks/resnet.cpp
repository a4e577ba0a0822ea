#include "engine/networks/trunks/resnet.h"

#include <fmt/format.h>

namespace tyto {
namespace {

// A batch norm; in IBN-a the first half of the channels is instance-normalised instead.
Value norm(Graph& g, const Weights& w, Value x, float epsilon) {
  if (!w.has("IN.weight")) return g.batch_norm(x, w, {.epsilon = epsilon});
  const int half = static_cast<int>(w("IN.weight", {any}).dim(0));
  x = g.batch_norm(x, w.scope("BN"), {.epsilon = epsilon, .first_channel = half});
  return g.instance_norm(x, w.scope("IN"));
}

Value shortcut(Graph& g, const Weights& w, Value x, int stride, float epsilon) {
  if (!w.has("downsample.0.weight")) return x;
  x = g.conv2d(x, w.scope("downsample.0"), {.kernel = 1, .stride = stride});
  return g.batch_norm(x, w.scope("downsample.1"), {.epsilon = epsilon});
}

Value basic_block(Graph& g, const Weights& w, Value x, int stride, float epsilon) {
  const Value identity = shortcut(g, w, x, stride, epsilon);
  x = g.conv2d(x, w.scope("conv1"), {.kernel = 3, .stride = stride, .padding = 1});
  x = g.relu(norm(g, w.scope("bn1"), x, epsilon));
  x = g.conv2d(x, w.scope("conv2"), {.kernel = 3, .padding = 1});
  x = g.batch_norm(x, w.scope("bn2"), {.epsilon = epsilon});
  return g.relu(g.add(x, identity));
}

Value bottleneck(Graph& g, const Weights& w, Value x, int stride, float epsilon) {
  const Value identity = shortcut(g, w, x, stride, epsilon);
  x = g.conv2d(x, w.scope("conv1"), {.kernel = 1});
  x = g.relu(norm(g, w.scope("bn1"), x, epsilon));
  x = g.conv2d(x, w.scope("conv2"), {.kernel = 3, .stride = stride, .padding = 1});
  x = g.relu(g.batch_norm(x, w.scope("bn2"), {.epsilon = epsilon}));
  x = g.conv2d(x, w.scope("conv3"), {.kernel = 1});
  x = g.batch_norm(x, w.scope("bn3"), {.epsilon = epsilon});
  return g.relu(g.add(x, identity));
}

}  // namespace

Value resnet_stem(Graph& g, const Weights& w, Value x, float epsilon) {
  x = g.conv2d(x, w.scope("conv1"), {.kernel = 7, .stride = 2, .padding = 3});
  x = g.relu(norm(g, w.scope("bn1"), x, epsilon));
  return g.max_pool(x, {.kernel = 3, .stride = 2, .padding = 1});
}

int resnet_blocks(const Weights& w, int layer) {
  int blocks = 1;
  while (w.has(fmt::format("layer{}.{}.conv1.weight", layer, blocks))) ++blocks;
  return blocks;
}

Value resnet_layer(Graph& g, const Weights& w, Value x, int layer, int stride, float epsilon,
                   const std::function<Value(int block, Value x)>& after_block) {
  const bool deep = w.has(fmt::format("layer{}.0.conv3.weight", layer));
  for (int block = 0; block < resnet_blocks(w, layer); ++block) {
    const Weights scope = w.scope(fmt::format("layer{}.{}", layer, block));
    const int first = block == 0 ? stride : 1;
    x = deep ? bottleneck(g, scope, x, first, epsilon) : basic_block(g, scope, x, first, epsilon);
    if (after_block) x = after_block(block, x);
  }
  return x;
}

std::array<Value, 4> resnet_trunk(Graph& g, const Weights& w, Value x, int last_stride, float epsilon) {
  std::array<Value, 4> maps;
  x = resnet_stem(g, w, x, epsilon);
  for (int layer = 1; layer <= 4; ++layer) {
    x = resnet_layer(g, w, x, layer, layer == 1 ? 1 : layer == 4 ? last_stride : 2, epsilon);
    maps[static_cast<size_t>(layer - 1)] = x;
  }
  return maps;
}

}  // namespace tyto

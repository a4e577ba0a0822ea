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

std::array<Value, 4> resnet_trunk(Graph& g, const Weights& w, Value x, int last_stride, float epsilon) {
  std::array<Value, 4> maps;
  x = g.conv2d(x, w.scope("conv1"), {.kernel = 7, .stride = 2, .padding = 3});
  x = g.relu(norm(g, w.scope("bn1"), x, epsilon));
  x = g.max_pool(x, {.kernel = 3, .stride = 2, .padding = 1});
  const bool deep = w.has("layer1.0.conv3.weight");
  for (size_t layer = 1; layer <= 4; ++layer) {
    for (int block = 0; block == 0 || w.has(fmt::format("layer{}.{}.conv1.weight", layer, block)); ++block) {
      const int stride = block > 0 || layer == 1 ? 1 : layer == 4 ? last_stride : 2;
      const Weights scope = w.scope(fmt::format("layer{}.{}", layer, block));
      x = deep ? bottleneck(g, scope, x, stride, epsilon) : basic_block(g, scope, x, stride, epsilon);
    }
    maps[layer - 1] = x;
  }
  return maps;
}

}  // namespace tyto

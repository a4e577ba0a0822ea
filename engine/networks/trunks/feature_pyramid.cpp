#include "engine/networks/trunks/feature_pyramid.h"

#include <fmt/format.h>

namespace tyto {
namespace {

Value block(Graph& g, const Weights& w, Value x, int kernel) {
  const Conv2d op = {.kernel = kernel, .padding = kernel / 2};
  if (w.has("weight")) return g.conv2d(x, w, op, Graph::Bias::Required);
  if (!w.has("1.running_mean")) return g.conv2d(x, w.scope("0"), op, Graph::Bias::Required);
  return g.batch_norm(g.conv2d(x, w.scope("0"), op), w.scope("1"));
}

}  // namespace

std::vector<Value> feature_pyramid(Graph& g, const Weights& w, const std::vector<Value>& maps) {
  std::vector<Value> levels(maps.size());
  Value coarser;
  for (size_t k = maps.size(); k-- > 0;) {
    Value x = block(g, w.scope(fmt::format("inner_blocks.{}", k)), maps[k], 1);
    if (k + 1 < maps.size()) {
      const Shape& size = g.shape(x);
      x = g.add(x, g.apply(Upsample{size[2], size[3]}, {coarser}));
    }
    coarser = x;
    levels[k] = block(g, w.scope(fmt::format("layer_blocks.{}", k)), x, 3);
  }
  levels.push_back(g.max_pool(levels.back(), {.kernel = 1, .stride = 2}));
  return levels;
}

}  // namespace tyto

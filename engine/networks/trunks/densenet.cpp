#include "engine/networks/trunks/densenet.h"

#include <fmt/format.h>

namespace tyto {
namespace {

Value norm_relu(Graph& g, const Weights& w, Value x) { return g.relu(g.batch_norm(x, w)); }

// "denseblock1.denselayer2" with the separator of a layer's number: "norm1", or "norm.1" of old.
Value dense_layer(Graph& g, const Weights& w, Value x) {
  const std::string dot = w.has("norm.1.weight") ? "." : "";
  Value y = norm_relu(g, w.scope(fmt::format("norm{}1", dot)), x);
  y = g.conv2d(y, w.scope(fmt::format("conv{}1", dot)), {.kernel = 1});
  y = norm_relu(g, w.scope(fmt::format("norm{}2", dot)), y);
  return g.conv2d(y, w.scope(fmt::format("conv{}2", dot)), {.kernel = 3, .padding = 1});
}

// Each layer reads what all before it have made.
Value dense_block(Graph& g, const Weights& w, Value x) {
  const auto layer = [](int i) { return fmt::format("denselayer{}", i); };
  for (int i = 1; i == 1 || w.has(layer(i) + ".norm1.weight") || w.has(layer(i) + ".norm.1.weight"); ++i) {
    const Value made = dense_layer(g, w.scope(layer(i)), x);
    x = g.append({.op = Concat{1}, .inputs = {x, made}, .name = w.path() + layer(i)});
  }
  return x;
}

}  // namespace

std::vector<Value> densenet_trunk(Graph& g, const Weights& w, Value x) {
  x = g.conv2d(x, w.scope("conv0"), {.kernel = 7, .stride = 2, .padding = 3});
  x = g.max_pool(norm_relu(g, w.scope("norm0"), x), {.kernel = 3, .stride = 2, .padding = 1});
  std::vector<Value> maps;
  for (int block = 1;; ++block) {
    x = dense_block(g, w.scope(fmt::format("denseblock{}", block)), x);
    maps.push_back(x);
    const Weights transition = w.scope(fmt::format("transition{}", block));
    if (!transition.has("conv.weight")) return maps;
    x = g.conv2d(norm_relu(g, transition.scope("norm"), x), transition.scope("conv"), {.kernel = 1});
    x = g.average_pool(x, {.kernel = 2, .stride = 2});
  }
}

}  // namespace tyto

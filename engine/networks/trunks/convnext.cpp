#include "engine/networks/trunks/convnext.h"

#include <fmt/format.h>

namespace tyto {
namespace {

// A convolution whose windows do not overlap.
Value patches(Graph& g, const Weights& w, Value x, int size) {
  return g.conv2d(x, w, {.kernel = size, .stride = size}, Graph::Bias::Required);
}

Value block(Graph& g, const Weights& w, Value x) {
  const int channels = static_cast<int>(g.channels(x));
  Value y =
      g.conv2d(x, w.scope("block.0"), {.kernel = 7, .padding = 3, .groups = channels}, Graph::Bias::Required);
  y = g.layer_norm(g.to_rows(y, Channels::Last), w.scope("block.2"), kConvNextNorm);
  y = g.activate(g.linear(y, w.scope("block.3")), Activation::GeluErf);
  y = g.linear(y, w.scope("block.5"));
  y = g.mul(y, g.reshape(g.constant(w("layer_scale", {channels, 1, 1})), {channels}));
  return g.add(g.to_map(y, Channels::Last), x);
}

}  // namespace

Value layer_norm_2d(Graph& g, const Weights& w, Value x) {
  return g.to_map(g.layer_norm(g.to_rows(x, Channels::Last), w, kConvNextNorm), Channels::Last);
}

std::vector<Value> convnext_trunk(Graph& g, const Weights& w, Value x) {
  x = layer_norm_2d(g, w.scope("0.1"), patches(g, w.scope("0.0"), x, 4));
  std::vector<Value> maps;
  for (int stage = 1; stage == 1 || w.has(fmt::format("{}.0.layer_scale", stage)); stage += 2) {
    if (stage > 1) {
      const Weights smaller = w.scope(fmt::format("{}", stage - 1));
      x = patches(g, smaller.scope("1"), layer_norm_2d(g, smaller.scope("0"), x), 2);
    }
    for (int i = 0; i == 0 || w.has(fmt::format("{}.{}.layer_scale", stage, i)); ++i)
      x = block(g, w.scope(fmt::format("{}.{}", stage, i)), x);
    maps.push_back(x);
  }
  return maps;
}

}  // namespace tyto

// VGG (Simonyan and Zisserman, ICLR 2015), 11 to 19 layers, with or without batch norm. Tensor names:
// torchvision.
#include <fmt/format.h>

#include "engine/networks/network.h"

namespace tyto {
namespace {

// features.N: convolution, [batch norm,] ReLU, and a pool wherever no convolution follows at the next index.
Value trunk(Graph& g, const Weights& w, Value x) {
  const auto is_convolution = [&](int i) {
    return w.has(fmt::format("features.{}.weight", i)) && !w.has(fmt::format("features.{}.running_mean", i));
  };
  int i = 0;
  do {
    const Weights layer = w.scope(fmt::format("features.{}", i++));
    x = g.conv2d(x, layer, {.kernel = 3, .padding = 1}, Graph::Bias::Required);
    if (w.has(fmt::format("features.{}.running_mean", i)))
      x = g.batch_norm(x, w.scope(fmt::format("features.{}", i++)));
    x = g.relu(x);
    ++i;
    if (!is_convolution(i)) {
      x = g.max_pool(x, {.kernel = 2, .stride = 2});
      ++i;
    }
  } while (is_convolution(i));
  return x;
}

void build_vgg(Graph& g, const Weights& w, const Options&, const Shape& input) {
  const Value map = trunk(g, w, g.input("input", input));
  g.output("map", map);
  if (!w.has("classifier.0.weight")) {
    g.output("features", g.flatten(g.global_average_pool(map)));
    return;
  }
  Value x = g.flatten(g.adaptive_average_pool(map, {7, 7}));
  x = g.relu(g.linear(x, w.scope("classifier.0")));
  x = g.relu(g.linear(x, w.scope("classifier.3")));
  g.output("features", x);
  if (w.has("classifier.6.weight")) g.output("logits", g.linear(x, w.scope("classifier.6")));
}

}  // namespace

Network vgg() {
  return {"vgg",
          "VGG-11 to -19, torchvision's names, with or without batch norm or classifier",
          {},
          imagenet_preprocessing(),
          build_vgg};
}

}  // namespace tyto

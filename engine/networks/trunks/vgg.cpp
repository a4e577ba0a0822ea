#include "engine/networks/trunks/vgg.h"

#include <fmt/format.h>

namespace tyto {

Value vgg_trunk(Graph& g, const Weights& w, Value x, bool last_pool) {
  const auto is_convolution = [&](int i) {
    return w.has(fmt::format("{}.weight", i)) && !w.has(fmt::format("{}.running_mean", i));
  };
  int i = 0;
  do {
    const Weights layer = w.scope(fmt::format("{}", i++));
    x = g.conv2d(x, layer, {.kernel = 3, .padding = 1}, Graph::Bias::Required);
    if (w.has(fmt::format("{}.running_mean", i))) x = g.batch_norm(x, w.scope(fmt::format("{}", i++)));
    x = g.relu(x);
    ++i;
    if (is_convolution(i)) continue;
    if (last_pool || is_convolution(i + 1)) x = g.max_pool(x, {.kernel = 2, .stride = 2});
    ++i;
  } while (is_convolution(i));
  return x;
}

Value vgg16_to_conv4_3(Graph& g, const Weights& w, Value x) {
  int layer = 0;
  for (const int convolutions : {2, 2, 3, 3}) {
    if (layer > 0) {
      x = g.max_pool(x, {.kernel = 2, .stride = 2, .ceil = layer == 16});
      ++layer;
    }
    for (int i = 0; i < convolutions; ++i, layer += 2)
      x = g.relu(
          g.conv2d(x, w.scope(fmt::format("{}", layer)), {.kernel = 3, .padding = 1}, Graph::Bias::Required));
  }
  return x;
}

}  // namespace tyto

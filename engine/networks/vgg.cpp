// VGG (Simonyan and Zisserman, ICLR 2015), 11 to 19 layers, with or without batch norm. Tensor names:
// torchvision.
#include "engine/networks/trunks/vgg.h"
#include "engine/networks/network.h"

namespace tyto {
namespace {

void build_vgg(Graph& g, const Weights& w, const Options&, const Shape& input) {
  const Value map = vgg_trunk(g, w.scope("features"), g.image_input("input", input));
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

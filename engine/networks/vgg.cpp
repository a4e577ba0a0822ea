// VGG (Simonyan and Zisserman, ICLR 2015), 11 to 19 layers, with or without batch norm. Tensor names:
// torchvision.
#include "engine/networks/trunks/vgg.h"
#include "engine/networks/network.h"

namespace tyto {
namespace {

NetworkOutputs build_vgg(Graph& g, const Weights& w, const Options&, const Inputs& in) {
  const Value map = vgg_trunk(g, w.scope("features"), g.to_map(in.at("input")));
  if (!w.has("classifier.0.weight"))
    return embedding({{"map", map}, {"features", g.flatten(g.global_average_pool(map))}});
  Value x = g.adaptive_average_pool(map, {7, 7});
  x = g.relu(g.linear(x, w.scope("classifier.0")));
  x = g.relu(g.linear(x, w.scope("classifier.3")));
  if (!w.has("classifier.6.weight")) return embedding({{"map", map}, {"features", x}});
  return classification(g, {{"map", map}, {"features", x}}, g.linear(x, w.scope("classifier.6")));
}

}  // namespace

Network vgg() {
  return {"vgg",
          "VGG-11 to -19, torchvision's names, with or without batch norm or classifier",
          {},
          imagenet_inputs,
          build_vgg};
}

}  // namespace tyto

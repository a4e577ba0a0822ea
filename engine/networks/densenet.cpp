// DenseNet (Huang et al., CVPR 2017), 121 to 201 layers. Tensor names: torchvision.
#include "engine/networks/trunks/densenet.h"

#include "engine/networks/network.h"

namespace tyto {
namespace {

NetworkOutputs build_densenet(Graph& g, const Weights& w, const Options&, const Inputs& in) {
  Value map = densenet_trunk(g, w.scope("features"), g.to_map(in.at("input"))).back();
  map = g.relu(g.batch_norm(map, w.scope("features.norm5")));
  const Value features = g.flatten(g.global_average_pool(map));
  if (!w.has("classifier.weight")) return embedding({{"map", map}, {"features", features}});
  return classification(g, {{"map", map}, {"features", features}}, g.linear(features, w.scope("classifier")));
}

}  // namespace

Network densenet() {
  return {"densenet",
          "DenseNet-121 to -201, torchvision's names, new or old, with or without classifier",
          {},
          imagenet_inputs,
          build_densenet};
}

}  // namespace tyto

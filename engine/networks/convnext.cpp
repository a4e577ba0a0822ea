// ConvNeXt (Liu et al., CVPR 2022), tiny to large. Tensor names: torchvision.
#include "engine/networks/trunks/convnext.h"

#include "engine/networks/network.h"

namespace tyto {
namespace {

NetworkOutputs build_convnext(Graph& g, const Weights& w, const Options&, const Inputs& in) {
  const Value map = convnext_trunk(g, w.scope("features"), g.to_map(in.at("input"))).back();
  Value features = g.global_average_pool(map);
  if (!w.has("classifier.2.weight")) return embedding({{"map", map}, {"features", g.flatten(features)}});
  features = g.flatten(layer_norm_2d(g, w.scope("classifier.0"), features));
  return classification(g, {{"map", map}, {"features", features}},
                        g.linear(features, w.scope("classifier.2")));
}

std::vector<InputInfo> convnext_inputs(const Weights&, const Options&) {
  Preprocessing rule = imagenet_preprocessing();
  rule.shorter_side = 236;  // torchvision's for convnext_tiny; small takes 230, base and large 232
  return {image_input(rule)};
}

}  // namespace

Network convnext() {
  return {"convnext",
          "ConvNeXt-Tiny to -Large, torchvision's names, with or without classifier",
          {},
          convnext_inputs,
          build_convnext};
}

}  // namespace tyto

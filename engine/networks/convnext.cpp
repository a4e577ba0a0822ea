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

// torchvision's for each size. Tiny and small start with 96 channels, base and large with more; small has 27
// blocks in its third stage, tiny 9.
std::vector<InputInfo> convnext_inputs(const Weights& w, const Options&) {
  const bool wide = w("features.0.0.weight", {any, 3, 4, 4}).dim(0) > 96;
  Preprocessing rule = imagenet_preprocessing();
  rule.shorter_side = wide ? 232 : w.has("features.5.9.layer_scale") ? 230 : 236;
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

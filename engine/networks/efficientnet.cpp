// EfficientNet-B0 to -B7 (Tan and Le, ICML 2019) as classifiers. Tensor names: lukemelas'
// efficientnet_pytorch.
#include <fmt/format.h>

#include "engine/networks/network.h"
#include "engine/networks/trunks/efficientnet.h"

namespace tyto {
namespace {

// The number of blocks tells which it is, but for B1 and B2, whose last widths are 40 and 44 times their
// stem's.
const EfficientNetScale& scale_of(const Weights& w) {
  const int64_t stem = w("_conv_stem.weight", {any, 3, 3, 3}).dim(0);
  int blocks = 0;
  while (w.has(fmt::format("_blocks.{}._project_conv.weight", blocks))) ++blocks;
  size_t found = 0;
  for (size_t i = 0; i < kEfficientNetScales.size(); ++i)
    if (efficientnet_blocks(kEfficientNetScales[i]) == blocks) found = i;
  const bool narrow = found == 2 && w("_conv_head.weight", {any, any, 1, 1}).dim(0) <= 40 * stem;
  return kEfficientNetScales[narrow ? 1 : found];
}

NetworkOutputs build(Graph& g, const Weights& w, const Options&, const Inputs& in) {
  const Value trunk = efficientnet_trunk(g, w, g.to_map(in.at("input")), scale_of(w)).back();
  const Value map = efficientnet_head(g, w, trunk);
  const Value features = g.flatten(g.global_average_pool(map));
  if (!w.has("_fc.weight")) return embedding({{"map", map}, {"features", features}});
  const Value logits = g.linear(features, w.scope("_fc"));
  return classification(g, {{"map", map}, {"features", features}}, logits);
}

// The package's own test code resizes to the size that it crops to.
std::vector<InputInfo> inputs(const Weights& w, const Options&) {
  Preprocessing rule = imagenet_preprocessing();
  rule.height = rule.width = rule.shorter_side = scale_of(w).side;
  rule.resampling = Resampling::PilBicubic;
  return {image_input(rule)};
}

}  // namespace

Network efficientnet() {
  return {"efficientnet",
          "EfficientNet-B0 to -B7, efficientnet_pytorch's names, with or without classifier",
          {},
          inputs,
          build};
}

}  // namespace tyto

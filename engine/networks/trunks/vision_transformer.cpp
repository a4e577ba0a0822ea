#include "engine/networks/trunks/vision_transformer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tyto {
namespace {

constexpr LayerNorm kNorm = {.epsilon = 1e-6f};
// No shape tells how many heads there are. Published models have one for each 64 channels, but vit_h_14,
// whose 1280 channels are in 16.
int usual_heads(int64_t width) {
  return width == 1280 ? 16 : static_cast<int>(std::max<int64_t>(1, width / 64));
}

Weight patch_weight(const Weights& w) { return w("conv_proj.weight", {any, 3, any, any}); }

Value self_attention(Graph& g, const Weights& w, Value x, int heads) {
  const int64_t width = g.shape(x)[2];
  const Value packed =
      g.append({.op = Linear{},
                .inputs = {x},
                .weights = {w("in_proj_weight", {3 * width, width}), w("in_proj_bias", {3 * width})},
                .name = w.path() + "in_proj"});
  std::vector<Value> qkv;
  for (int64_t i = 0; i < 3; ++i) qkv.push_back(g.slice(packed, 2, i * width, width));
  const auto depth = static_cast<float>(width / heads);
  const Value y = g.attention(w.path() + "attention", qkv, {.heads = heads, .scale = 1 / std::sqrt(depth)});
  return g.linear(y, w.scope("out_proj"));
}

// torchvision's MLPBlock; its layers were called linear_1 and linear_2 before 0.14.
Value mlp(Graph& g, const Weights& w, Value x) {
  const bool old = w.has("linear_1.weight");
  x = g.activate(g.linear(x, w.scope(old ? "linear_1" : "0")), Activation::GeluErf);
  return g.linear(x, w.scope(old ? "linear_2" : "3"));
}

Value encoder_block(Graph& g, const Weights& w, Value x, int heads) {
  x = g.add(self_attention(g, w.scope("self_attention"), g.layer_norm(x, w.scope("ln_1"), kNorm), heads), x);
  return g.add(mlp(g, w.scope("mlp"), g.layer_norm(x, w.scope("ln_2"), kNorm)), x);
}

}  // namespace

Value vision_transformer_tokens(Graph& g, const Weights& w, Value image, int heads) {
  const int size = vision_transformer_image_size(w);
  const Shape& given = g.shape(image);
  if (w.has("encoder.pos_embedding") && (given[2] != size || given[3] != size))
    throw Error(ErrorKind::Shape, fmt::format("the network's position embedding is for images of {0} x {0}, "
                                              "not {1} x {2}",
                                              size, given[2], given[3]));
  const int patch = static_cast<int>(patch_weight(w).dim(2));
  const Value map =
      g.conv2d(image, w.scope("conv_proj"), {.kernel = patch, .stride = patch}, Graph::Bias::Required);
  const Shape shape = g.shape(map);
  const int64_t batch = shape[0], width = shape[1], patches = shape[2] * shape[3];
  const Value token = g.expand(g.constant(w("class_token", {1, 1, width})), {batch, 1, width});
  Value x = g.concat({token, g.reshape(g.to_rows(map, Channels::Last), {batch, patches, width})}, 1);
  x = g.add(x, g.constant(w("encoder.pos_embedding", {1, 1 + patches, width})));
  if (heads == 0) heads = usual_heads(width);
  const auto layer = [](int i) { return fmt::format("encoder.layers.encoder_layer_{}", i); };
  for (int i = 0; i == 0 || w.has(layer(i) + ".ln_1.weight"); ++i)
    x = encoder_block(g, w.scope(layer(i)), x, heads);
  return g.layer_norm(x, w.scope("encoder.ln"), kNorm);
}

int vision_transformer_image_size(const Weights& w) {
  const int64_t patches = w("encoder.pos_embedding", {1, any, any}).dim(1) - 1;
  const auto side =
      static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(std::max<int64_t>(1, patches)))));
  return static_cast<int>(side * patch_weight(w).dim(2));
}

}  // namespace tyto

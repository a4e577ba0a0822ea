#include "engine/networks/trunks/two_streams.h"

#include <fmt/format.h>

#include "engine/networks/trunks/resnet.h"

namespace tyto {
namespace {

constexpr int kLayers = 4;

std::string layer_name(int layer) { return fmt::format("layer{}.", layer); }

int stride_of(int layer, int last_stride) { return layer == 1 ? 1 : layer == kLayers ? last_stride : 2; }

// Training code keeps whole trunks, of which these stages run and the others do not.
void expect_other_stages_unused(const Weights& trunk, int first, int last) {
  if (first > 0)
    for (const char* name : {"conv1.", "bn1."}) trunk.expect_unused(name);
  for (int layer = 1; layer <= kLayers; ++layer)
    if (layer < first || layer > last) trunk.expect_unused(layer_name(layer));
  trunk.expect_unused("fc.");
}

Value own_stages(Graph& g, const Weights& w, const std::string& modality, Value x,
                 const TwoStreams& streams) {
  const Weights trunk = w.scope(fmt::format("{0}_module.{0}", modality));
  for (int stage = 0; stage < streams.shared_from; ++stage) {
    x = stage == 0 ? resnet_stem(g, trunk, x)
                   : resnet_layer(g, trunk, x, stage, stride_of(stage, streams.last_stride));
    if (streams.after_own_stage) x = streams.after_own_stage(modality, stage, x);
  }
  expect_other_stages_unused(trunk, 0, streams.shared_from - 1);
  return x;
}

}  // namespace

std::vector<InputInfo> two_stream_inputs(const Weights&, const Options&) {
  Preprocessing rule = imagenet_preprocessing();
  rule.height = 288;
  rule.width = 144;
  rule.fit = Fit::Stretch;
  rule.resampling = Resampling::PilLanczos;
  return {image_input(rule)};
}

int first_shared_stage(const Weights& w) {
  const bool own =
      w.has("visible_module.visible.conv1.weight") || w.has("thermal_module.thermal.conv1.weight");
  if (!own && w.has("base_resnet.base.conv1.weight")) return 0;
  int stage = 1;
  while (stage <= kLayers && !w.has("base_resnet.base." + layer_name(stage) + "0.conv1.weight") &&
         w.has("visible_module.visible." + layer_name(stage) + "0.conv1.weight"))
    ++stage;
  return stage;
}

Value two_stream_trunk(Graph& g, const Weights& w, const Options& options, Value image,
                       const TwoStreams& streams) {
  const bool thermal = options.choice(kModality.name, {"visible", "thermal"}) == "thermal";
  Value x = g.to_map(image);
  if (streams.shared_from > 0) {
    const Value visible_x = own_stages(g, w, "visible", x, streams);
    const Value thermal_x = own_stages(g, w, "thermal", x, streams);
    x = thermal ? thermal_x : visible_x;
  }
  const Weights base = w.scope("base_resnet.base");
  if (streams.shared_from == 0) x = resnet_stem(g, base, x);
  for (int layer = std::max(1, streams.shared_from); layer <= kLayers; ++layer)
    x = resnet_layer(g, base, x, layer, stride_of(layer, streams.last_stride), 1e-5f,
                     [&](int block, Value v) {
                       return streams.after_shared_block ? streams.after_shared_block(layer, block, v) : v;
                     });
  expect_other_stages_unused(base, streams.shared_from, kLayers);
  return x;
}

}  // namespace tyto

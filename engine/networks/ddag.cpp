// DDAG as it is tested (Ye et al., "Dynamic Dual-Attentive Aggregation Learning for Visible-Infrared Person
// Re-Identification", ECCV 2020). Tensor names: mangye16/DDAG.
#include <fmt/format.h>

#include "engine/networks/heads/cross_modality.h"
#include "engine/networks/network.h"
#include "engine/networks/trunks/two_streams.h"

namespace tyto {
namespace {

// Strips of the map attend to each other; their weighted sum joins the feature of the whole.
Value part_attention(Graph& g, const Weights& w, Value map, Value whole) {
  const Weight gate = w("gate", {any});
  const int64_t images = g.shape(map)[0], parts = gate.dim(0);
  const Value strips = g.adaptive_average_pool(map, {static_cast<int>(parts), 1});
  const auto tokens = [&](const char* name) {
    const Value x = g.conv2d(strips, w.scope(name), {});
    return g.reshape(g.to_rows(x, Channels::Last), {images, parts, g.channels(x)});
  };
  const Value refined =
      g.attention("wpa", {tokens("fc1.0"), tokens("fc2"), tokens("fc3")}, {.heads = 1, .scale = 1});
  const Value weights = g.reshape(g.softmax(g.constant(gate)), {parts, 1});
  const Value summed = g.reduce(g.mul(refined, weights), {kernels::Reduction::Sum, 1});
  return g.batch_norm(g.add(summed, whole), w.scope("bottleneck"));
}

NetworkOutputs build(Graph& g, const Weights& w, const Options& options, const Inputs& in) {
  const Value map = two_stream_trunk(g, w, options, in.at("input"), {});
  const Value fc = g.batch_norm(g.flatten(g.global_average_pool(map)), w.scope("bottleneck"));
  const Value part = part_attention(g, w.scope("wpa"), map, fc);
  // What training alone uses: classifiers, and attention between the images of a batch.
  for (const char* name : {"classifier.", "classifier1.", "classifier2.", "wpa.W.", "out_att."})
    w.expect_unused(name);
  for (int head = 0; w.has(fmt::format("attention_{}.W", head)); ++head)
    w.expect_unused(fmt::format("attention_{}.", head));
  return embedding({{"fc", fc}, {"part", part}});
}

}  // namespace

Network ddag() {
  return {.name = "ddag",
          .summary = "visible-thermal re-identification: DDAG with its part attention, as it is tested",
          .options = {kModality},
          .inputs = two_stream_inputs,
          .build = build,
          .flips = false};
}

}  // namespace tyto

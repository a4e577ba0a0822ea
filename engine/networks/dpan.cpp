// DPAN, the dual-path attention network (Wang et al., Entropy 24(4):443, 2022). There is no public code; what
// the paper leaves open is an option. Tensor names: AGW's, with `visible_attention` and `thermal_attention`.
#include "engine/networks/heads/cross_modality.h"
#include "engine/networks/network.h"
#include "engine/networks/trunks/attention_blocks.h"
#include "engine/networks/trunks/two_streams.h"

namespace tyto {
namespace {

constexpr OptionSpec kAttention = {
    "attention", "position",
    "position (DANet's PAM), or none: the paper's baseline, whose tensors are those of AGW's base"};
constexpr OptionSpec kPlace = {"attention_after", "layer1",
                               "stem or layer1; the paper: within each modality's own part, here at its end"};
constexpr OptionSpec kOwner = {
    "attention_of", "modality",
    "modality: each its own weights, as read here; shared: `visible_attention` serves both"};
constexpr OptionSpec kLastStride = {"last_stride", "1",
                                    "of layer4: 1, as AGW's and as read here, or 2, as the plain ResNet's"};
constexpr OptionSpec kDpanPooling = {"pooling", "average",
                                     "of the last map: average, as read here, or gem (AGW's, power 3)"};

NetworkOutputs build(Graph& g, const Weights& w, const Options& options, const Inputs& in) {
  const bool attends = options.choice(kAttention.name, {"position", "none"}) == "position";
  const int place = options.choice(kPlace.name, {"stem", "layer1"}) == "stem" ? 0 : 1;
  const bool shared = options.choice(kOwner.name, {"modality", "shared"}) == "shared";
  TwoStreams streams;
  streams.shared_from = 2;
  streams.last_stride = options.integer(kLastStride.name, 1, 2);
  streams.after_own_stage = [&](const std::string& modality, int stage, Value x) {
    if (!attends || stage != place) return x;
    return position_attention(g, w.scope((shared ? "visible" : modality) + "_attention"), x);
  };
  const Value map = two_stream_trunk(g, w, options, in.at("input"), streams);
  return neck(g, w, map, options.choice(kDpanPooling.name, {"average", "gem"}));
}

}  // namespace

Network dpan() {
  return {.name = "dpan",
          .summary =
              "visible-thermal re-identification: DPAN as tyto reads the paper, position attention in "
              "each modality's own part",
          .options = {kModality, kAttention, kPlace, kOwner, kLastStride, kDpanPooling},
          .inputs = two_stream_inputs,
          .build = build,
          .flips = false};
}

}  // namespace tyto

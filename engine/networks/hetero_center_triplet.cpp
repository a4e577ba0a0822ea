// Two streams and stripes, trained with the hetero-centre triplet loss (Liu, Tan and Zhou, "Parameter Sharing
// Exploration and Hetero-Center Triplet Loss for Visible-Thermal Person Re-Identification", TMM 2020). Tensor
// names: hijune6/Hetero-center-triplet-loss-for-VT-Re-ID with --pcb on; those of --pcb off are agw's.
#include <fmt/format.h>

#include "engine/networks/heads/cross_modality.h"
#include "engine/networks/network.h"
#include "engine/networks/trunks/two_streams.h"

namespace tyto {
namespace {

constexpr OptionSpec kStripePooling = {"pooling", "gem", "of a stripe: gem (generalised mean), or max"};
constexpr OptionSpec kPower = {"power", "",
                               "of gem, which the code of training names: 3 for SYSU-MM01, 10 for RegDB"};
constexpr int64_t kIdentitiesOfRegDb = 206;

std::string stripe_name(const char* list, int64_t index) { return fmt::format("{}.{}", list, index); }

std::vector<Decision> decide(const Weights& w, const Options& options, const Facts&) {
  if (!options.is(kPower.name, "")) return {};
  const int64_t identities = w("fc_list.0.weight", {any, any}).dim(0);
  return {{std::string(kPower.name), identities == kIdentitiesOfRegDb ? "10" : "3",
           fmt::format("its classifiers tell {} identities apart; RegDB has {}", identities,
                       kIdentitiesOfRegDb)}};
}

float power_of(const Options& options) {
  return options.is(kPower.name, "") ? 3 : static_cast<float>(options.number(kPower.name, 1, 100));
}

// [N, C, H, W] to the maps of its stripes, [N * stripes, C, H / stripes, W].
Value cut(Graph& g, Value map, int64_t stripes) {
  const Shape s = g.shape(map);
  if (s[2] % stripes != 0)
    throw Error(ErrorKind::Shape,
                fmt::format("a map of {} rows does not divide into {} stripes", s[2], stripes));
  const Value rows = g.to_rows(map, Channels::Last);
  return g.to_map(g.reshape(rows, {s[0] * stripes, s[2] / stripes, s[3], s[1]}), Channels::Last);
}

Value pool_stripes(Graph& g, Value stripes, const Options& options) {
  if (options.choice(kStripePooling.name, {"gem", "max"}) == "gem") return gem(g, stripes, power_of(options));
  const Shape s = g.shape(stripes);
  const Value places = g.reshape(g.to_rows(stripes, Channels::Last), {s[0], s[2] * s[3], s[1]});
  return g.reduce(places, {kernels::Reduction::Max, 1});
}

NetworkOutputs build(Graph& g, const Weights& w, const Options& options, const Inputs& in) {
  TwoStreams streams;
  streams.shared_from = first_shared_stage(w);
  const Value map = two_stream_trunk(g, w, options, in.at("input"), streams);
  const int64_t images = g.shape(map)[0], channels = g.channels(map);
  int64_t stripes = 1;
  while (w.has(stripe_name("local_conv_list", stripes) + ".0.weight")) ++stripes;
  const Value pooled = g.reshape(pool_stripes(g, cut(g, map, stripes), options), {images, stripes, channels});
  std::vector<Value> parts;
  for (int64_t i = 0; i < stripes; ++i) {
    const Weights layers = w.scope(stripe_name("local_conv_list", i));
    const Value stripe = g.to_map(g.reshape(g.slice(pooled, 1, i, 1), {images, channels, 1, 1}));
    const Value x = g.batch_norm(g.conv2d(stripe, layers.scope("0"), {}), layers.scope("1"));
    parts.push_back(g.flatten(g.relu(x)));
    w.expect_unused(stripe_name("fc_list", i) + ".");  // the identities seen in training
  }
  return embedding({{"features", parts.size() == 1 ? parts.front() : g.concat(parts, 1)}});
}

}  // namespace

Network hetero_center_triplet() {
  return {.name = "hetero_center_triplet",
          .summary =
              "visible-thermal re-identification by stripes "
              "(Hetero-center-triplet-loss-for-VT-Re-ID, any share_net)",
          .options = {kModality, kStripePooling, kPower},
          .inputs = two_stream_inputs,
          .build = build,
          .decide = decide,
          .flips = false};
}

}  // namespace tyto

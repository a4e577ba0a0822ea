// AGW and its base (Ye et al., TPAMI 2021): re-identification across visible and thermal cameras. Tensor
// names: mangye16/Cross-Modal-Re-ID-baseline; trunks may be pruned, as hijune6's code saves them.
#include <fmt/format.h>

#include "engine/networks/heads/cross_modality.h"
#include "engine/networks/network.h"
#include "engine/networks/trunks/attention_blocks.h"
#include "engine/networks/trunks/resnet.h"
#include "engine/networks/trunks/two_streams.h"

namespace tyto {
namespace {

std::string block_name(int layer, int index) { return fmt::format("NL_{}.{}", layer, index); }

int non_local_blocks(const Weights& w, int layer) {
  int count = 0;
  while (w.has(block_name(layer, count) + ".theta.weight")) ++count;
  return count;
}

bool has_non_local(const Weights& w) {
  for (int layer = 1; layer <= 4; ++layer)
    if (non_local_blocks(w, layer) > 0) return true;
  return false;
}

// AGW's files hold whole trunks, hijune6's the stages that run.
bool is_pruned(const Weights& w) {
  return !w.has("base_resnet.base.conv1.weight") || !w.has("visible_module.visible.conv1.weight");
}

std::string pooling_of(const Weights& w, const Options& options) {
  if (!options.is(kPooling.name, "")) return options.choice(kPooling.name, {"average", "gem"});
  return has_non_local(w) || is_pruned(w) ? "gem" : "average";
}

std::vector<Decision> decide(const Weights& w, const Options& options, const Facts&) {
  if (!options.is(kPooling.name, "")) return {};
  return {{std::string(kPooling.name), pooling_of(w, options),
           has_non_local(w) ? "it has non-local blocks, as method agw"
           : is_pruned(w)   ? "its trunks hold no more than runs, as hijune6's code saves them"
                            : "it has no non-local blocks, as method base"}};
}

NetworkOutputs build(Graph& g, const Weights& w, const Options& options, const Inputs& in) {
  TwoStreams streams;
  streams.shared_from = first_shared_stage(w);
  // The last blocks of a layer have one behind them each.
  streams.after_shared_block = [&](int layer, int block, Value x) {
    const int index = block - resnet_blocks(w.scope("base_resnet.base"), layer) + non_local_blocks(w, layer);
    return index < 0 ? x : non_local(g, w.scope(block_name(layer, index)), x);
  };
  const Value map = two_stream_trunk(g, w, options, in.at("input"), streams);
  return neck(g, w, map, pooling_of(w, options));
}

}  // namespace

Network agw() {
  return {.name = "agw",
          .summary =
              "visible-thermal re-identification: AGW, or without its non-local blocks the base "
              "(Cross-Modal-Re-ID-baseline)",
          .options = {kModality, kPooling},
          .inputs = two_stream_inputs,
          .build = build,
          .decide = decide,
          .flips = false};
}

}  // namespace tyto

// A ResNet for two kinds of cameras (Ye et al., "Deep Learning for Person Re-identification: A Survey and
// Outlook", TPAMI 2021): the first stages once for each modality, the rest shared. Tensor names: AGW's
// embed_net.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/networks/network.h"

namespace tyto {

// Which modality's stages a graph runs: visible or thermal. `tyto extract` sets it for each image.
inline constexpr OptionSpec kModality = {
    "modality", "visible", "whose stem an image runs through: visible or thermal; `tyto extract` sets it"};

// Photographs of 288 x 144, resized by Pillow's LANCZOS, as AGW's test code does.
std::vector<InputInfo> two_stream_inputs(const Weights& weights, const Options& options);

struct TwoStreams {
  // The first stage that both share: 0 the stem, 1 to 4 that layer, 5 none.
  int shared_from = 1;
  int last_stride = 1;  // of layer4
  // What follows a stage of one modality, `visible` or `thermal`; 0: the stem.
  std::function<Value(const std::string& modality, int stage, Value x)> after_own_stage = {};
  std::function<Value(int layer, int block, Value x)> after_shared_block = {};
};

// The first stage that `base_resnet.base` has; files that hold whole trunks do not tell.
int first_shared_stage(const Weights& w);

// The last map, for the options' modality; the graph has the stages of both, of which passes drop the dead.
Value two_stream_trunk(Graph& g, const Weights& w, const Options& options, Value image,
                       const TwoStreams& streams);

}  // namespace tyto

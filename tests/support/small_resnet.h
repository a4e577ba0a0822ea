// A ResNet-18 of few channels: all that the real one has, in a fraction of its time.
#pragma once

#include <fmt/format.h>

#include <filesystem>

#include "engine/images/preprocessing.h"
#include "engine/model/model_file.h"
#include "support/network_graph.h"
#include "support/random_weights.h"

namespace tyto {

constexpr int kSmallHeight = 64, kSmallWidth = 32;
constexpr double kSmallResnetTerms = 64 * 3 * 3;  // of its widest convolution
constexpr double kSmallResnetLayers = 1 + 4 * 4 + 1;

inline Layout small_resnet_layout() {
  const int64_t widths[] = {8, 8, 16, 32, 64};
  Layout layout = Layout{{"conv1.weight", {widths[0], 3, 7, 7}}} + batch_norm_at("bn1", widths[0]);
  for (size_t stage = 1; stage <= 4; ++stage)
    for (int block = 0; block < 2; ++block) {
      const std::string path = fmt::format("layer{}.{}", stage, block);
      const int64_t in = block == 0 ? widths[stage - 1] : widths[stage], out = widths[stage];
      layout = layout + Layout{{path + ".conv1.weight", {out, in, 3, 3}}} +
               batch_norm_at(path + ".bn1", out) + Layout{{path + ".conv2.weight", {out, out, 3, 3}}} +
               batch_norm_at(path + ".bn2", out);
      if (in != out)
        layout = layout + Layout{{path + ".downsample.0.weight", {out, in, 1, 1}}} +
                 batch_norm_at(path + ".downsample.1", out);
    }
  return layout + Layout{{"fc.weight", {10, widths[4]}}, {"fc.bias", {10}}};
}

inline Graph small_resnet_graph(int64_t batch) {
  return network_graph("resnet", weights(small_resnet_layout()), {batch, 3, kSmallHeight, kSmallWidth});
}

inline ModelInfo small_resnet_info() {
  Preprocessing rule = imagenet_preprocessing();
  rule.fit = Fit::Stretch;
  rule.height = kSmallHeight;
  rule.width = kSmallWidth;
  ModelInfo info;
  info.network = "resnet";
  info.task = Task::Classify;
  info.options = {{"stride", "2"}};
  info.inputs = {image_input(rule)};
  info.outputs = {{"map", {}, {}}, {"features", {}, {}}, {"logits", {}, {}}};
  info.source_sha256 = std::string(64, '0');
  return info;
}

// Of which inputs are as large as the resized images.
inline ModelInfo small_resnet_info_of_many_sizes() {
  Preprocessing rule = imagenet_preprocessing();
  rule.fit = Fit::ShorterSide;
  rule.shorter_side = 32;
  rule.longest_side = 64;
  ModelInfo info = small_resnet_info();
  info.inputs = {image_input(rule)};
  return info;
}

// The model file of small_resnet_graph(), or of the same tensors under another description.
inline std::filesystem::path write_small_resnet(const std::filesystem::path& path,
                                                const ModelInfo& info = small_resnet_info()) {
  const auto source = invent(small_resnet_layout());
  write_model(path, info, *source, source->names());
  return path;
}

}  // namespace tyto

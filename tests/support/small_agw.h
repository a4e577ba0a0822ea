// AGW of few channels, on ResNet-18: two outputs an image, and a stem for each modality.
#pragma once

#include "support/small_resnet.h"

namespace tyto {

constexpr int64_t kSmallAgwWidth = 64;

inline Layout small_agw_layout() {
  Layout layout;
  for (const char* trunk : {"visible_module.visible.", "thermal_module.thermal.", "base_resnet.base."})
    for (const auto& [name, shape] : small_resnet_layout())
      if (!name.starts_with("fc.")) layout.push_back({trunk + name, shape});
  constexpr int64_t kChannels = 16;  // of layer2
  for (const char* name : {"theta", "phi", "g.0"})
    layout = layout + Layout{{fmt::format("NL_2.0.{}.weight", name), {1, kChannels, 1, 1}},
                             {fmt::format("NL_2.0.{}.bias", name), {1}}};
  layout = layout + Layout{{"NL_2.0.W.0.weight", {kChannels, 1, 1, 1}}, {"NL_2.0.W.0.bias", {kChannels}}} +
           batch_norm_at("NL_2.0.W.1", kChannels);
  return layout + batch_norm_at("bottleneck", kSmallAgwWidth);
}

inline std::filesystem::path write_small_agw(const std::filesystem::path& path) {
  ModelInfo info = small_resnet_info();
  info.network = "agw";
  info.task = Task::Embed;
  info.options = {{"modality", "visible"}, {"pooling", "gem"}};
  info.outputs = {{"fc", {}, {}}, {"pool", {}, {}}};
  const auto source = invent(small_agw_layout());
  write_model(path, info, *source, source->names());
  return path;
}

}  // namespace tyto

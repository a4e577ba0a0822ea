// Lift-Splat-Shoot of few channels, on images of 32 x 64 and a grid of 8 x 16 cells of two levels.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>

#include "engine/model/model_file.h"
#include "engine/networks/network.h"
#include "support/random_weights.h"

namespace tyto {

inline Layout small_mbconv_at(const std::string& path, int64_t in, int64_t out, int64_t kernel,
                              int64_t expand) {
  const int64_t wide = in * expand, squeezed = std::max<int64_t>(1, in / 4);
  Layout layout;
  if (expand > 1)
    layout = Layout{{path + "_expand_conv.weight", {wide, in, 1, 1}}} + batch_norm_at(path + "_bn0", wide);
  return layout + Layout{{path + "_depthwise_conv.weight", {wide, 1, kernel, kernel}}} +
         batch_norm_at(path + "_bn1", wide) +
         Layout{{path + "_se_reduce.weight", {squeezed, wide, 1, 1}},
                {path + "_se_reduce.bias", {squeezed}},
                {path + "_se_expand.weight", {wide, squeezed, 1, 1}},
                {path + "_se_expand.bias", {wide}},
                {path + "_project_conv.weight", {out, wide, 1, 1}}} +
         batch_norm_at(path + "_bn2", out);
}

inline Layout small_efficientnet_layout(const std::string& path) {
  const struct {
    int blocks;
    int64_t kernel, out, expand;
  } stages[] = {{1, 3, 2, 1}, {2, 3, 3, 6}, {2, 5, 5, 6}, {3, 3, 6, 6},
                {3, 5, 7, 6}, {4, 5, 8, 6}, {1, 3, 9, 6}};
  int64_t channels = 4;
  Layout layout =
      Layout{{path + "_conv_stem.weight", {channels, 3, 3, 3}}} + batch_norm_at(path + "_bn0", channels);
  int block = 0;
  for (const auto& stage : stages)
    for (int i = 0; i < stage.blocks; ++i) {
      layout = layout + small_mbconv_at(fmt::format("{}_blocks.{}.", path, block++), channels, stage.out,
                                        stage.kernel, stage.expand);
      channels = stage.out;
    }
  return layout;
}

inline Layout small_up_at(const std::string& path, int64_t in, int64_t out) {
  return Layout{{path + ".conv.0.weight", {out, in, 3, 3}}} + batch_norm_at(path + ".conv.1", out) +
         Layout{{path + ".conv.3.weight", {out, out, 3, 3}}} + batch_norm_at(path + ".conv.4", out);
}

inline Layout small_residual_layer_at(const std::string& path, int64_t in, int64_t out) {
  Layout layout;
  for (int block = 0; block < 2; ++block) {
    const std::string at = fmt::format("{}.{}", path, block);
    layout = layout + Layout{{at + ".conv1.weight", {out, block == 0 ? in : out, 3, 3}}} +
             batch_norm_at(at + ".bn1", out) + Layout{{at + ".conv2.weight", {out, out, 3, 3}}} +
             batch_norm_at(at + ".bn2", out);
    if (block == 0 && in != out)
      layout = layout + Layout{{at + ".downsample.0.weight", {out, in, 1, 1}}} +
               batch_norm_at(at + ".downsample.1", out);
  }
  return layout;
}

constexpr int64_t kSmallBins = 3, kSmallFeatures = 4, kSmallLevels = 2;

// What the grid and the frustum are, by the tensors' names.
inline std::map<std::string, Tensor> small_lifting() {
  const auto of = [](const Shape& shape, const std::vector<float>& values) {
    return Tensor::of<float>(shape, values);
  };
  std::vector<float> frustum;
  for (const float depth : {2.0f, 4.0f, 6.0f})
    for (const float v : {0.0f, 31.0f})
      for (const float u : {0.0f, 21.0f, 42.0f, 63.0f})
        for (const float value : {u, v, depth}) frustum.push_back(value);
  return {{"dx", of({3}, {2, 1, 2})},
          {"bx", of({3}, {-7, -7.5f, 0})},
          {"nx", of({3}, {8, 16, kSmallLevels})},
          {"frustum", of({kSmallBins, 2, 4, 3}, frustum)}};
}

inline std::shared_ptr<MemorySource> small_lift_splat_shoot() {
  const auto rest =
      invent(small_efficientnet_layout("camencode.trunk.") + small_up_at("camencode.up1", 9 + 7, 8) +
             Layout{{"camencode.depthnet.weight", {kSmallBins + kSmallFeatures, 8, 1, 1}},
                    {"camencode.depthnet.bias", {kSmallBins + kSmallFeatures}},
                    {"bevencode.conv1.weight", {8, kSmallFeatures * kSmallLevels, 7, 7}}} +
             batch_norm_at("bevencode.bn1", 8) + small_residual_layer_at("bevencode.layer1", 8, 8) +
             small_residual_layer_at("bevencode.layer2", 8, 12) +
             small_residual_layer_at("bevencode.layer3", 12, 16) + small_up_at("bevencode.up1", 16 + 8, 16) +
             Layout{{"bevencode.up2.1.weight", {8, 16, 3, 3}}} + batch_norm_at("bevencode.up2.2", 8) +
             Layout{{"bevencode.up2.4.weight", {1, 8, 1, 1}}, {"bevencode.up2.4.bias", {1}}});
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const auto& [name, values] : small_lifting()) tensors.emplace_back(name, values);
  for (const std::string& name : rest->names()) tensors.emplace_back(name, rest->read(name));
  return std::make_shared<MemorySource>(std::move(tensors), "invented");
}

inline std::filesystem::path write_small_lift_splat_shoot(const std::filesystem::path& path,
                                                          int cameras = 2) {
  const auto source = small_lift_splat_shoot();
  const Network& network = find_network("lift_splat_shoot");
  ModelInfo info;
  info.network = network.name;
  info.task = Task::Bev;
  info.options = {{"cameras", std::to_string(cameras)}};
  info.inputs = network.inputs(Weights(source), Options(network, info.options));
  info.outputs = {{"map", {}, {}}, {"pooled", {}, {}}};
  info.grid = BevGridInfo{{-8, -8, -1}, {2, 1, 2}, {8, 16, kSmallLevels}};
  info.source_sha256 = std::string(64, '0');
  write_model(path, info, *source, source->names());
  return path;
}

}  // namespace tyto

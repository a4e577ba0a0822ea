// SSD300 in ssd.pytorch's layout, a few channels wide.
#pragma once

#include <fmt/format.h>

#include <filesystem>

#include "engine/images/preprocessing.h"
#include "engine/model/model_file.h"
#include "support/network_graph.h"
#include "support/random_weights.h"

namespace tyto {

constexpr int64_t kSmallSsdAnchors = 8732;

inline Layout convolution_at(const std::string& path, int64_t out, int64_t in, int64_t kernel) {
  return {{path + ".weight", {out, in, kernel, kernel}}, {path + ".bias", {out}}};
}

inline Layout small_ssd_layout(int64_t classes = 21) {
  Layout layout;
  int64_t channels = 3;
  for (const auto& [index, out] : std::vector<std::pair<int, int64_t>>{{0, 4},
                                                                       {2, 4},
                                                                       {5, 4},
                                                                       {7, 4},
                                                                       {10, 8},
                                                                       {12, 8},
                                                                       {14, 8},
                                                                       {17, 8},
                                                                       {19, 8},
                                                                       {21, 8},
                                                                       {24, 8},
                                                                       {26, 8},
                                                                       {28, 8},
                                                                       {31, 16},
                                                                       {33, 16}}) {
    layout = layout + convolution_at(fmt::format("vgg.{}", index), out, channels, index == 33 ? 1 : 3);
    channels = out;
  }
  layout.push_back({"L2Norm.weight", {8}});
  for (int k = 0; k < 8; ++k) {
    const int64_t out = k % 2 == 0 ? 4 : 8;
    layout = layout + convolution_at(fmt::format("extras.{}", k), out, channels, k % 2 == 0 ? 1 : 3);
    channels = out;
  }
  const int64_t anchors[] = {4, 6, 6, 6, 4, 4}, maps[] = {8, 16, 8, 8, 8, 8};
  for (size_t k = 0; k < 6; ++k)
    layout = layout + convolution_at(fmt::format("loc.{}", k), anchors[k] * 4, maps[k], 3) +
             convolution_at(fmt::format("conf.{}", k), anchors[k] * classes, maps[k], 3);
  return layout;
}

inline ModelInfo small_ssd_info(std::map<std::string, std::string> options = {}) {
  ModelInfo info;
  info.network = "ssd300";
  const Options complete(find_network("ssd300"), options);
  info.options = {complete.values().begin(), complete.values().end()};
  info.task = Task::Detect;
  info.inputs = find_network("ssd300").inputs(weights(small_ssd_layout()), complete);
  info.outputs = {{"locations", DType::F32, {}},
                  {"logits", DType::F32, {}},
                  {"detections", DType::F32, "detections.count"}};
  info.class_names = {"background", "aeroplane"};  // and 19 classes without a name
  info.source_sha256 = std::string(64, '0');
  return info;
}

inline std::filesystem::path write_small_ssd(const std::filesystem::path& path,
                                             const ModelInfo& info = small_ssd_info()) {
  const auto source = invent(small_ssd_layout());
  write_model(path, info, *source, source->names());
  return path;
}

}  // namespace tyto

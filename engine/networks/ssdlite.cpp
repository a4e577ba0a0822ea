// SSDLite (Sandler et al., CVPR 2018): single-shot detectors whose heads and extra maps are depthwise
// separable. On MobileNetV3 with torchvision's names, anchors and post-processing; on MobileNetV2 with those
// of the TensorFlow object detection API.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "engine/networks/heads/anchors.h"
#include "engine/networks/heads/single_shot.h"
#include "engine/networks/trunks/conv_norm.h"
#include "engine/networks/trunks/mobilenet_v2.h"
#include "engine/networks/trunks/mobilenet_v3.h"

namespace tyto {
namespace {

constexpr int kMaps = 6, kExtras = 4;
constexpr NormStyle kPyTorch = {.epsilon = 1e-3f}, kTensorFlow = {.epsilon = 1e-3f, .same = true};

// Four maps more, each half as large: 1x1, depthwise 3x3 of stride 2, 1x1.
void append_extras(Graph& g, const Weights& w, std::vector<Value>& maps, const NormStyle& style) {
  for (int k = 0; k < kExtras; ++k) {
    const auto layer = [&](int i) { return w.scope(fmt::format("{}.{}", k, i)); };
    Value x = conv_norm_activation(g, layer(0), maps.back(), {.kernel = 1}, Activation::Relu6, style);
    x = depthwise_norm_activation(g, layer(1), x, {.kernel = 3, .stride = 2}, Activation::Relu6, style);
    maps.push_back(conv_norm_activation(g, layer(2), x, {.kernel = 1}, Activation::Relu6, style));
  }
}

HeadMaps head_maps(Graph& g, const Weights& w, const std::vector<Value>& maps,
                   const std::vector<int>& anchors) {
  HeadMaps head;
  for (size_t k = 0; k < maps.size(); ++k) {
    const Weights locations = w.scope(fmt::format("head.regression_head.module_list.{}", k)),
                  logits = w.scope(fmt::format("head.classification_head.module_list.{}", k));
    const auto spread = [&](const Weights& at) {  // a stride of 1 pads the same either way
      return depthwise_norm_activation(g, at.scope("0"), maps[k], {.kernel = 3}, Activation::Relu6, kPyTorch);
    };
    append_head(g, head, spread(locations), locations.scope("1"), spread(logits), logits.scope("1"),
                anchors[k], {.kernel = 1});
  }
  return head;
}

// Scales from `low` in equal steps to `high`, and 1 behind the last.
std::array<double, kMaps + 1> even_scales(double low, double high) {
  std::array<double, kMaps + 1> scales;
  for (int k = 0; k < kMaps; ++k) scales[static_cast<size_t>(k)] = low + (high - low) * k / (kMaps - 1.0);
  scales[kMaps] = 1;
  return scales;
}

AnchorMap over_image(const Shape& map, std::vector<std::array<double, 2>> sizes) {
  return {map[2], map[3], static_cast<double>(map[2]), static_cast<double>(map[3]), std::move(sizes)};
}

NetworkOutputs build_mobilenet_v3(Graph& g, const Weights& w, const Options& options, const Inputs& in) {
  const Value image = in.at("input");
  std::vector<Value> maps = mobilenet_v3_large_maps(g, w.scope("backbone.features"), g.to_map(image));
  append_extras(g, w.scope("backbone.extra"), maps, kPyTorch);
  const auto scales = even_scales(0.2, 0.95);
  std::vector<AnchorMap> layout;
  for (size_t k = 0; k < kMaps; ++k)
    layout.push_back(over_image(g.shape(maps[k]), ssd_sizes(scales[k], scales[k + 1], {2, 3})));
  Tensor anchors = lay_anchors(layout);
  clamp_sizes(anchors);
  to_pixels(anchors, g.shape(image)[3], g.shape(image)[2]);
  return finish_detector(g, head_maps(g, w, maps, std::vector<int>(kMaps, 6)), anchors, torchvision_coding(),
                         options, image);
}

std::array<double, 2> tensorflow_size(double scale, double ratio) {
  return {scale * std::sqrt(ratio), scale / std::sqrt(ratio)};
}

// The first map has three boxes, the others five ratios and the mean of two scales.
std::vector<std::array<double, 2>> tensorflow_sizes(size_t map, double scale, double next_scale) {
  if (map == 0) return {tensorflow_size(0.1, 1), tensorflow_size(scale, 2), tensorflow_size(scale, 0.5)};
  std::vector<std::array<double, 2>> sizes;
  for (const double ratio : {1.0, 2.0, 0.5, 3.0, 0.3333}) sizes.push_back(tensorflow_size(scale, ratio));
  sizes.push_back(tensorflow_size(std::sqrt(scale * next_scale), 1));
  return sizes;
}

NetworkOutputs build_mobilenet_v2(Graph& g, const Weights& w, const Options& options, const Inputs& in) {
  const Value image = in.at("input");
  const MobileNetV2Maps trunk = mobilenet_v2_trunk(g, w, kNestedNames, kTensorFlow, g.to_map(image));
  std::vector<Value> maps = {trunk.expanded, trunk.last};
  append_extras(g, w.scope("extras"), maps, kTensorFlow);
  const auto scales = even_scales(0.2, 0.95);
  // Scales are of the shorter side: a square anchor is square in pixels.
  const Shape pixels = g.shape(image);
  const auto shorter = static_cast<double>(std::min(pixels[2], pixels[3]));
  const double across = shorter / static_cast<double>(pixels[3]),
               down = shorter / static_cast<double>(pixels[2]);
  std::vector<AnchorMap> layout;
  for (size_t k = 0; k < kMaps; ++k) {
    std::vector<std::array<double, 2>> sizes = tensorflow_sizes(k, scales[k], scales[k + 1]);
    for (auto& [width, height] : sizes) width *= across, height *= down;
    layout.push_back(over_image(g.shape(maps[k]), std::move(sizes)));
  }
  return finish_detector(g, head_maps(g, w, maps, {3, 6, 6, 6, 6, 6}), lay_anchors(layout), {}, options,
                         image);
}

std::vector<InputInfo> mobilenet_v3_inputs(const Weights&, const Options&) {
  Preprocessing rule;
  rule.height = rule.width = 320;
  rule.resampling = Resampling::TorchBilinear;
  rule.mean = rule.std = {0.5f, 0.5f, 0.5f};
  return {image_input(rule)};
}

std::vector<InputInfo> mobilenet_v2_inputs(const Weights&, const Options&) {
  Preprocessing rule;
  rule.height = rule.width = 300;
  rule.resampling = Resampling::CvBilinear;
  rule.scale = 2.0f / 255;  // to -1..1
  rule.mean = {1, 1, 1};
  return {image_input(rule)};
}

}  // namespace

Network ssdlite320_mobilenet_v3_large() {
  return {"ssdlite320_mobilenet_v3_large", "SSDLite on MobileNetV3-Large, torchvision's names",
          selection_options({.score_threshold = "0.001",
                             .top_k = "300",
                             .iou_threshold = "0.55",
                             .max_detections = "300",
                             .clip = "before"}),
          mobilenet_v3_inputs, build_mobilenet_v3};
}

Network ssdlite_mobilenet_v2() {
  return {"ssdlite_mobilenet_v2", "SSDLite on MobileNetV2 as the TensorFlow object detection API builds it",
          selection_options({.scores = "sigmoid",
                             .score_threshold = "1e-8",
                             .iou_threshold = "0.6",
                             .max_per_class = "100",
                             .max_detections = "100",
                             .clip = "after"}),
          mobilenet_v2_inputs, build_mobilenet_v2};
}

}  // namespace tyto

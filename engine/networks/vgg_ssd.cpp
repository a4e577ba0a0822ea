// SSD300 on VGG-16 (Liu et al., ECCV 2016), with the names, anchors and post-processing of ssd.pytorch and of
// torchvision.
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "engine/networks/heads/anchors.h"
#include "engine/networks/heads/single_shot.h"
#include "engine/networks/trunks/vgg.h"

namespace tyto {
namespace {

constexpr int kMaps = 6;
constexpr std::array<int, kMaps> kAnchors = {4, 6, 6, 6, 4, 4};
constexpr std::array<double, kMaps> kSteps = {8, 16, 32, 64, 100, 300};  // pixels between centres
constexpr int kExtras = 4;

// Where a project keeps its layers.
struct Naming {
  std::string_view vgg;  // conv1_1 to conv4_3 are numbered under it
  std::array<std::string_view, 3> conv5;
  std::string_view conv6, conv7, scale;  // of conv4_3's normalisation
  std::array<std::array<std::string_view, 2>, kExtras> extras;
  std::string_view locations, logits;  // of the first map: "loc.0" without the number
  kernels::L2Normalize normalize;
};

const Naming kSsdPytorch = {"vgg",
                            {"vgg.24", "vgg.26", "vgg.28"},
                            "vgg.31",
                            "vgg.33",
                            "L2Norm.weight",
                            {{{"extras.0", "extras.1"},
                              {"extras.2", "extras.3"},
                              {"extras.4", "extras.5"},
                              {"extras.6", "extras.7"}}},
                            "loc.",
                            "conf.",
                            {kernels::L2Normalize::Epsilon::Added, 1e-10f}};

const Naming kTorchvision = {"backbone.features",
                             {"backbone.extra.0.1", "backbone.extra.0.3", "backbone.extra.0.5"},
                             "backbone.extra.0.7.1",
                             "backbone.extra.0.7.3",
                             "backbone.scale_weight",
                             {{{"backbone.extra.1.0", "backbone.extra.1.2"},
                               {"backbone.extra.2.0", "backbone.extra.2.2"},
                               {"backbone.extra.3.0", "backbone.extra.3.2"},
                               {"backbone.extra.4.0", "backbone.extra.4.2"}}},
                             "head.regression_head.module_list.",
                             "head.classification_head.module_list.",
                             {kernels::L2Normalize::Epsilon::Least, 1e-12f}};

Value conv_relu(Graph& g, const Weights& w, std::string_view name, Value x, const Conv2d& op) {
  return g.relu(g.conv2d(x, w.scope(std::string(name)), op, Graph::Bias::Required));
}

std::vector<Value> feature_maps(Graph& g, const Weights& w, const Naming& names, Value image) {
  Value x = vgg16_to_conv4_3(g, w.scope(std::string(names.vgg)), g.to_map(image));
  std::vector<Value> maps = {
      g.l2_normalize(x, w(std::string(names.scale), {g.channels(x)}), names.normalize)};
  x = g.max_pool(x, {.kernel = 2, .stride = 2});
  for (std::string_view name : names.conv5) x = conv_relu(g, w, name, x, {.kernel = 3, .padding = 1});
  x = g.max_pool(x, {.kernel = 3, .stride = 1, .padding = 1});
  x = conv_relu(g, w, names.conv6, x, {.kernel = 3, .padding = 6, .dilation = 6});
  x = conv_relu(g, w, names.conv7, x, {.kernel = 1});
  maps.push_back(x);
  for (size_t k = 0; k < kExtras; ++k) {
    x = conv_relu(g, w, names.extras[k][0], x, {.kernel = 1});
    const bool halves = k < 2;
    x = conv_relu(g, w, names.extras[k][1], x,
                  {.kernel = 3, .stride = halves ? 2 : 1, .padding = halves ? 1 : 0});
    maps.push_back(x);
  }
  return maps;
}

HeadMaps head_maps(Graph& g, const Weights& w, const Naming& names, const std::vector<Value>& maps) {
  HeadMaps head;
  for (size_t k = 0; k < kMaps; ++k)
    append_head(g, head, maps[k], w.scope(fmt::format("{}{}", names.locations, k)), maps[k],
                w.scope(fmt::format("{}{}", names.logits, k)), kAnchors[k], {.kernel = 3, .padding = 1});
  return head;
}

using Scales = std::array<double, kMaps + 1>;  // of the smallest box of each map and of one map more

// The centres of a map's cells.
enum class Centres {
  Stepped,  // kSteps apart: from the last one to the border it may be more, or less
  Even,     // spread over the image
};

// scales: in fractions of the image
Tensor anchors_of(const Graph& g, const std::vector<Value>& maps, const Scales& scales, Value image,
                  Centres centres = Centres::Stepped) {
  const Shape& pixels = g.shape(image);
  std::vector<AnchorMap> layout;
  for (size_t k = 0; k < kMaps; ++k) {
    const Shape& map = g.shape(maps[k]);
    const std::vector<double> ratios = kAnchors[k] == 4 ? std::vector<double>{2} : std::vector<double>{2, 3};
    const auto cells = [&](size_t axis) {
      return static_cast<double>(centres == Centres::Even ? map[axis] : pixels[axis]) /
             (centres == Centres::Even ? 1 : kSteps[k]);
    };
    layout.push_back({map[2], map[3], cells(2), cells(3), ssd_sizes(scales[k], scales[k + 1], ratios)});
  }
  return lay_anchors(layout);
}

Scales fractions(Scales pixels) {
  for (double& s : pixels) s /= 300;
  return pixels;
}

NetworkOutputs build_ssd_pytorch(Graph& g, const Weights& w, const Options& options, const Inputs& in) {
  const Value image = in.at("input");
  if (const Shape& pixels = g.shape(image); pixels[2] != 300 || pixels[3] != 300)
    throw Error(ErrorKind::Shape, fmt::format("ssd300 takes images of 300 x 300 pixels, not {} x {}; set the "
                                              "preprocessing rule's size to [300, 300]",
                                              pixels[3], pixels[2]));
  const std::vector<Value> maps = feature_maps(g, w, kSsdPytorch, image);
  const std::string& kind = options.choice("anchors", {"voc", "coco", "bubbliiiing"});
  const bool fork = kind == "bubbliiiing";
  const Scales scales = fractions(kind == "coco" ? Scales{21, 45, 99, 153, 207, 261, 315}
                                                 : Scales{30, 60, 111, 162, 213, 264, 315});
  Tensor anchors = anchors_of(g, maps, scales, image, fork ? Centres::Even : Centres::Stepped);
  fork ? clamp_corners(anchors) : clamp_all(anchors);
  return finish_detector(g, head_maps(g, w, kSsdPytorch, maps), anchors, {}, options, image);
}

NetworkOutputs build_torchvision(Graph& g, const Weights& w, const Options& options, const Inputs& in) {
  const Value image = in.at("input");
  const std::vector<Value> maps = feature_maps(g, w, kTorchvision, image);
  Tensor anchors = anchors_of(g, maps, {0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05}, image);
  clamp_sizes(anchors);
  to_pixels(anchors, g.shape(image)[3], g.shape(image)[2]);
  return finish_detector(g, head_maps(g, w, kTorchvision, maps), anchors, torchvision_coding(), options,
                         image);
}

Preprocessing preprocessing() {
  Preprocessing rule;
  rule.height = rule.width = 300;
  rule.resampling = Resampling::CvBilinear;
  rule.scale = 1;
  rule.mean = {123, 117, 104};
  return rule;
}

std::vector<InputInfo> ssd_pytorch_inputs(const Weights&, const Options&) {
  return {image_input(preprocessing())};
}

std::vector<InputInfo> torchvision_inputs(const Weights&, const Options&) {
  Preprocessing rule = preprocessing();
  rule.resampling = Resampling::TorchBilinear;
  rule.scale = 1.0f / 255;
  rule.mean = {0.48235f, 0.45882f, 0.40784f};
  rule.std = {1.0f / 255, 1.0f / 255, 1.0f / 255};
  return {image_input(rule)};
}

}  // namespace

Network ssd300() {
  std::vector<OptionSpec> options = selection_options(
      {.score_threshold = "0.01", .top_k = "200", .iou_threshold = "0.45", .empty_union = "drop"});
  options.insert(options.begin(),
                 {"anchors", "voc",
                  "the sizes of ssd.pytorch's voc or coco configuration; or bubbliiiing: voc's "
                  "sizes as its ssd-pytorch and forks of that lay them"});
  return {"ssd300", "SSD300 on VGG-16, ssd.pytorch's names", options, ssd_pytorch_inputs, build_ssd_pytorch};
}

Network ssd300_vgg16() {
  return {"ssd300_vgg16", "SSD300 on VGG-16, torchvision's names",
          selection_options({.score_threshold = "0.01",
                             .top_k = "400",
                             .iou_threshold = "0.45",
                             .max_detections = "200",
                             .clip = "before"}),
          torchvision_inputs, build_torchvision};
}

}  // namespace tyto

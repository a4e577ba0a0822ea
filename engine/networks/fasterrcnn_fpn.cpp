// Faster R-CNN on a feature pyramid (Lin et al., CVPR 2017) as torchvision builds it: on ResNet, first and
// second version, and on MobileNetV3. Tensor names, anchors and post-processing: torchvision.
#include <fmt/format.h>

#include <array>

#include "engine/networks/heads/two_stage.h"
#include "engine/networks/trunks/feature_pyramid.h"
#include "engine/networks/trunks/mobilenet_v3.h"
#include "engine/networks/trunks/resnet.h"

namespace tyto {
namespace {

const std::vector<double> kRatios = {0.5, 1, 2};
constexpr const char* kAuto = "auto";

Preprocessing preprocessing(int shorter_side, int longest_side) {
  Preprocessing rule = imagenet_preprocessing();
  rule.fit = Fit::Within;
  rule.shorter_side = shorter_side;
  rule.longest_side = longest_side;
  rule.multiple_of = 32;
  rule.resampling = Resampling::TorchBilinear;
  return rule;
}

// A level's anchors have one size, or all levels' the same sizes; strides are whole pixels of the padded
// image.
kernels::AnchorGrid anchors_of(const Graph& g, Value image, const std::vector<Value>& levels,
                               const std::vector<std::vector<double>>& sizes) {
  kernels::AnchorGrid grid;
  for (const Value level : levels) {
    const auto k = static_cast<size_t>(grid.count++);
    const Shape &map = g.shape(level), &size = g.shape(image);
    kernels::AnchorLevel& at = grid.levels[k];
    kernels::rounded_anchors(kRatios, sizes[std::min(k, sizes.size() - 1)], at);
    at.rows = static_cast<int>(map[2]);
    at.columns = static_cast<int>(map[3]);
    at.stride_y = static_cast<float>(size[2] / map[2]);
    at.stride_x = static_cast<float>(size[3] / map[3]);
  }
  return grid;
}

// Convolutions, then an objectness and four offsets an anchor; the same layers on every level.
ProposalMaps proposal_maps(Graph& g, const Weights& w, const std::vector<Value>& levels, int64_t anchors) {
  ProposalMaps maps;
  for (Value x : levels) {
    const auto convolve = [&](const Weights& layer) {
      x = g.relu(g.conv2d(x, layer, {.kernel = 3, .padding = 1}, Graph::Bias::Required));
    };
    if (w.has("conv.weight")) convolve(w.scope("conv"));  // before torchvision 0.13
    for (int i = 0; !w.has("conv.weight") && (i == 0 || w.has(fmt::format("conv.{}.0.weight", i))); ++i)
      convolve(w.scope(fmt::format("conv.{}.0", i)));
    maps.logits.push_back(g.conv2d(x, w.scope("cls_logits"), {}, Graph::Bias::Required, anchors));
    maps.locations.push_back(g.conv2d(x, w.scope("bbox_pred"), {}, Graph::Bias::Required, anchors * 4));
  }
  return maps;
}

// Two linear layers, or convolutions and one.
Value box_head(Graph& g, const Weights& w, Value features) {
  if (!w.has("0.0.weight")) {
    const Value x = g.relu(g.linear(features, w.scope("fc6")));
    return g.relu(g.linear(x, w.scope("fc7")));
  }
  Value x = features;
  int layer = 0;
  for (; w.has(fmt::format("{}.0.weight", layer)); ++layer) {
    const Weights block = w.scope(std::to_string(layer));
    x = g.conv2d(x, block.scope("0"), {.kernel = 3, .padding = 1});
    x = g.relu(g.batch_norm(x, block.scope("1")));
  }
  return g.relu(g.linear(x, w.scope(std::to_string(layer + 1))));  // behind a flatten
}

struct Pyramid {
  std::vector<Value> levels;  // of all of them there are proposals
  size_t pooled = 1;          // so many have regions pooled from them, the first
  std::vector<std::vector<double>> anchor_sizes;
};

NetworkOutputs build_on(Graph& g, const Weights& w, const Options& options, const Inputs& in,
                        const Pyramid& pyramid) {
  const Value image = in.at("input"), sizes = in.at("sizes");
  ProposalRule rule;
  rule.coding = torchvision_box_coding({1, 1, 1, 1});
  rule.grid = anchors_of(g, image, pyramid.levels, pyramid.anchor_sizes);
  rule.min_size_after = 1e-3f;
  rule.score_threshold = static_cast<float>(options.number("rpn_score_threshold", 0, 1));
  const ProposalMaps maps =
      proposal_maps(g, w.scope("rpn.head"), pyramid.levels, rule.grid.levels[0].per_cell);
  const Proposals proposals = propose(g, maps, rule, options, sizes);

  // torchvision infers the scales from the first image that a model is given; of any but a very flat one
  // they are the strides'.
  RoiAlign align;
  align.levels.count = static_cast<int>(pyramid.pooled);
  for (size_t k = 0; k < pyramid.pooled; ++k) align.levels.scales[k] = 1 / rule.grid.levels[k].stride_y;
  const std::vector<Value> from(pyramid.levels.begin(),
                                pyramid.levels.begin() + static_cast<std::ptrdiff_t>(pyramid.pooled));
  const Value features = g.roi_align(proposals.rows, from, align);

  const Weights heads = w.scope("roi_heads"), predictor = heads.scope("box_predictor");
  DetectionRule detections;
  detections.coding = torchvision_box_coding({10, 10, 5, 5});
  detections.min_size = 1e-2f;
  detections.score_threshold = static_cast<float>(options.number("score_threshold", 0, 1));
  return finish_two_stage(g, proposals, features, box_head(g, heads.scope("box_head"), features),
                          {predictor.scope("bbox_pred"), predictor.scope("cls_score")}, detections, options,
                          sizes);
}

// --- ResNet ---

// torchvision's one checkpoint that runs its frozen batch norms without an epsilon is
// fasterrcnn_resnet50_fpn's of COCO, and those trained on from it most likely do, too.
Decision norm_epsilon_of(const Weights& w) {
  const Weights trunk = w.scope("backbone.body");
  const bool frozen = !trunk.has("bn1.num_batches_tracked");
  const bool resnet50 = trunk.has("layer3.5.bn1.weight") && !trunk.has("layer3.6.bn1.weight") &&
                        trunk.has("layer1.0.conv3.weight");
  if (!frozen) return {"norm_eps", "1e-5", "the trunk's batch norms are not frozen"};
  if (!resnet50) return {"norm_eps", "1e-5", "the trunk is no ResNet-50"};
  return {"norm_eps", "0",
          "frozen batch norms of a ResNet-50, as torchvision runs its COCO weights; --set norm_eps=1e-5 "
          "where the detector was trained from other weights"};
}

std::vector<Decision> decide(const Weights& w, const Options& options, const Facts&) {
  if (!options.is("norm_eps", kAuto)) return {};
  return {norm_epsilon_of(w)};
}

NetworkOutputs build_on_resnet(Graph& g, const Weights& w, const Options& options, const Inputs& in) {
  const float epsilon = options.is("norm_eps", kAuto) ? std::stof(norm_epsilon_of(w).value)
                                                      : static_cast<float>(options.number("norm_eps", 0, 1));
  const std::array<Value, 4> maps =
      resnet_trunk(g, w.scope("backbone.body"), g.to_map(in.at("input")), 2, epsilon);
  Pyramid pyramid;
  pyramid.levels = feature_pyramid(g, w.scope("backbone.fpn"), {maps.begin(), maps.end()});
  pyramid.pooled = maps.size();
  pyramid.anchor_sizes = {{32}, {64}, {128}, {256}, {512}};
  return build_on(g, w, options, in, pyramid);
}

std::vector<InputInfo> inputs_of_800(const Weights&, const Options&) {
  return {image_input(preprocessing(800, 1333)), sizes_input("input")};
}

// --- MobileNetV3 ---

NetworkOutputs build_on_mobilenet(Graph& g, const Weights& w, const Options& options, const Inputs& in) {
  Pyramid pyramid;
  // The two maps are equally large, so that torchvision's rule finds no region that the second one is for.
  pyramid.levels = feature_pyramid(
      g, w.scope("backbone.fpn"),
      mobilenet_v3_large_last_maps(g, w.scope("backbone.body"), g.to_map(in.at("input")), 1e-5f));
  pyramid.anchor_sizes = {{32, 64, 128, 256, 512}};
  return build_on(g, w, options, in, pyramid);
}

std::vector<InputInfo> inputs_of_320(const Weights&, const Options&) {
  return {image_input(preprocessing(320, 640)), sizes_input("input")};
}

std::vector<OptionSpec> options_for(std::string_view proposals, std::string_view rpn_score_threshold) {
  std::vector<OptionSpec> options = two_stage_options({.pre_nms = proposals,
                                                       .post_nms = proposals,
                                                       .score_threshold = "0.05",
                                                       .iou_threshold = "0.5",
                                                       .max_detections = "100"});
  options.push_back({"rpn_score_threshold", rpn_score_threshold, "a proposal's least probability, of 0..1"});
  return options;
}

}  // namespace

Network fasterrcnn_resnet_fpn() {
  std::vector<OptionSpec> options = options_for("1000", "0");
  options.push_back({"norm_eps", kAuto, "the epsilon of the trunk's batch norms, which no tensor tells"});
  return {"fasterrcnn_resnet_fpn",
          "Faster R-CNN on ResNet-18 to -152 and a feature pyramid, torchvision's names: "
          "fasterrcnn_resnet50_fpn and _v2",
          options,
          inputs_of_800,
          build_on_resnet,
          {},
          decide};
}

Network fasterrcnn_mobilenet_v3_large_fpn() {
  return {"fasterrcnn_mobilenet_v3_large_fpn",
          "Faster R-CNN on MobileNetV3-Large and a feature pyramid, torchvision's names",
          options_for("1000", "0.05"), inputs_of_800, build_on_mobilenet};
}

Network fasterrcnn_mobilenet_v3_large_320_fpn() {
  return {"fasterrcnn_mobilenet_v3_large_320_fpn",
          "the same at a shorter side of 320 pixels, torchvision's names", options_for("150", "0.05"),
          inputs_of_320, build_on_mobilenet};
}

}  // namespace tyto

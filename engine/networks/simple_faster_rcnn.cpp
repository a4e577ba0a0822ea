// Faster R-CNN on VGG-16 (Ren et al., NIPS 2015). Tensor names, preprocessing and post-processing:
// simple-faster-rcnn-pytorch.
#include <array>
#include <limits>

#include "engine/networks/heads/two_stage.h"
#include "engine/networks/trunks/vgg.h"

namespace tyto {
namespace {

const std::vector<double> kRatios = {0.5, 1, 2}, kScales = {8, 16, 32};
constexpr int kStride = 16;

// Of trunks that were trained on images in Caffe's way, or in torchvision's.
constexpr std::string_view kCaffe = "caffe", kTorchvision = "torchvision", kAuto = "auto";

kernels::AnchorGrid anchors_of(const Shape& map) {
  kernels::AnchorGrid grid;
  grid.count = 1;
  kernels::AnchorLevel& level = grid.levels[0];
  kernels::centred_anchors(kStride, kRatios, kScales, level);
  level.rows = static_cast<int>(map[2]);
  level.columns = static_cast<int>(map[3]);
  level.stride_y = level.stride_x = kStride;
  return grid;
}

float score_threshold(const Options& options) {
  const bool shows = options.choice("preset", {"evaluate", "visualize"}) == "visualize";
  if (options.is("score_threshold", "preset")) return shows ? 0.7f : 0.05f;
  return static_cast<float>(options.number("score_threshold", 0, 1));
}

NetworkOutputs build(Graph& g, const Weights& w, const Options& options, const Inputs& in) {
  const Value sizes = in.at("sizes");
  const Value map = vgg_trunk(g, w.scope("extractor"), g.to_map(in.at("input")), /*last_pool=*/false);

  const Weights rpn = w.scope("rpn"), head = w.scope("head");
  const Value x =
      g.relu(g.conv2d(map, rpn.scope("conv1"), {.kernel = 3, .padding = 1}, Graph::Bias::Required));
  ProposalRule rule;
  rule.coding.y_first = true;
  rule.grid = anchors_of(g.shape(map));
  rule.min_size_before = static_cast<float>(options.number("min_size", 0, 1e4));
  const int64_t anchors = rule.grid.levels[0].per_cell;
  ProposalMaps maps;
  maps.values = 2;
  maps.locations = {g.conv2d(x, rpn.scope("loc"), {}, Graph::Bias::Required, anchors * 4)};
  maps.logits = {g.conv2d(x, rpn.scope("score"), {}, Graph::Bias::Required, anchors * 2)};
  const Proposals proposals = propose(g, maps, rule, options, sizes);

  RoiPool pool;
  pool.levels.scales[0] = 1.0f / kStride;
  const Value features = g.roi_pool(proposals.rows, {map}, pool);
  const bool drops = head.has("classifier.3.weight");  // dropout stood between them in training
  Value y = g.relu(g.linear(features, head.scope("classifier.0")));
  y = g.relu(g.linear(y, head.scope(drops ? "classifier.3" : "classifier.2")));

  DetectionRule detections;
  detections.coding.variance = {0.1f, 0.1f, 0.2f, 0.2f};
  detections.coding.y_first = true;
  detections.one_scale = true;
  detections.score_threshold = score_threshold(options);
  return finish_two_stage(g, proposals, features, y, {head.scope("cls_loc"), head.scope("score")}, detections,
                          options, sizes);
}

std::vector<InputInfo> inputs(const Weights&, const Options& options) {
  Preprocessing rule;
  rule.fit = Fit::Within;
  rule.shorter_side = 600;
  rule.longest_side = 1000;
  rule.resampling = Resampling::SkimageBilinear;
  if (options.choice("pretrain", {kAuto, kTorchvision, kCaffe}) == kCaffe) {
    // Blue's mean and red's changed places in the training code, and so they must here.
    rule.channels = ChannelOrder::BGR;
    rule.scale = 1;
    rule.mean = {122.7717f, 115.9465f, 102.9801f};
  } else {
    rule.mean = {0.485f, 0.456f, 0.406f};
    rule.std = {0.229f, 0.224f, 0.225f};
  }
  return {image_input(rule), sizes_input("input")};
}

// Its trainer stores its configuration beside the tensors.
std::vector<Decision> decide(const Weights&, const Options& options, const Facts& facts) {
  if (!options.is("pretrain", kAuto)) return {};
  const auto fact = facts.find("config.caffe_pretrain");
  if (fact == facts.end())
    return {{"pretrain", std::string(kTorchvision),
             "the file does not tell; --set pretrain=caffe for a trunk from Caffe or chainer"}};
  return {{"pretrain", std::string(fact->second == "true" ? kCaffe : kTorchvision),
           "the file's config.caffe_pretrain is " + fact->second}};
}

}  // namespace

Network simple_faster_rcnn() {
  std::vector<OptionSpec> options = {
      {"pretrain", kAuto,
       "how images were normalised in training: torchvision or caffe (BGR, means of 0..255)"},
      {"preset", "evaluate", "whose score threshold is taken: evaluate (0.05) or visualize (0.7)"},
      {"min_size", "16", "a proposal's least side, in pixels of the original image"}};
  const std::vector<OptionSpec> common = two_stage_options({.pre_nms = "6000",
                                                            .post_nms = "300",
                                                            .score_threshold = "preset",
                                                            .iou_threshold = "0.3",
                                                            .max_detections = "0"});
  options.insert(options.end(), common.begin(), common.end());
  return {"simple_faster_rcnn",
          "Faster R-CNN on VGG-16, simple-faster-rcnn-pytorch's names",
          options,
          inputs,
          build,
          {},
          decide};
}

}  // namespace tyto

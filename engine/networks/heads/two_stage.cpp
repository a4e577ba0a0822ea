#include "engine/networks/heads/two_stage.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace tyto {
namespace {

constexpr int kMostProposals = 1 << 14, kMostCandidates = 1 << 20;

// The logit below the least of those whose sigmoid is `probability` at least.
float logit_below(float probability) {
  if (probability <= 0) return -std::numeric_limits<float>::infinity();
  const double p = probability;
  return std::nextafter(static_cast<float>(std::log(p / (1 - p))), -std::numeric_limits<float>::infinity());
}

}  // namespace

std::vector<OptionSpec> two_stage_options(const TwoStageDefaults& d) {
  return {{"pre_nms", d.pre_nms, "a level's candidates for proposals, the best"},
          {"rpn_iou_threshold", d.rpn_iou_threshold, "a candidate that overlaps a better one by more goes"},
          {"post_nms", d.post_nms, "proposals of an image, the best"},
          {"score_threshold", d.score_threshold, "a detection scores more"},
          {"iou_threshold", d.iou_threshold, "a box that overlaps a better one of its class by more goes"},
          {"max_detections", d.max_detections, "detections of an image, the best; 0: all"}};
}

Proposals propose(Graph& g, const ProposalMaps& maps, const ProposalRule& rule, const Options& options,
                  Value sizes) {
  const Value locations = g.concat_maps("rpn_locations", maps.locations, 4),
              logits = g.concat_maps("rpn_logits", maps.logits, maps.values);
  const Graph::ScoredBoxes scored = g.decode_proposals(
      locations, logits, sizes, {.coding = rule.coding, .grid = rule.grid, .min_size = rule.min_size_before});
  const int post = options.integer("post_nms", 1, kMostProposals);
  Nms select;
  select.score_threshold = logit_below(rule.score_threshold);
  select.top_k = options.integer("pre_nms", 1, kMostCandidates);
  select.min_size = rule.min_size_after;
  select.iou_threshold = static_cast<float>(options.number("rpn_iou_threshold", 0, 1));
  select.sigmoid = true;
  select.max_per_class = post;
  select.max_detections = post;
  if (rule.grid.count > 1)
    for (size_t l = 0; l < static_cast<size_t>(rule.grid.count); ++l)
      select.levels[l] = static_cast<int>(rule.grid.levels[l].count());
  return {locations, logits, g.nms("proposals", scored.boxes, scored.scores, select)};
}

NetworkOutputs finish_two_stage(Graph& g, const Proposals& proposals, Value roi_features, Value x,
                                const HeadLayers& layers, const DetectionRule& rule, const Options& options,
                                Value sizes) {
  const Value logits = g.cast(g.linear(x, layers.logits), Elements::F32);
  const Shape& shape = g.shape(logits);
  const int64_t classes = shape[2];
  Value locations = g.cast(g.linear(x, layers.locations), Elements::F32);
  const int64_t offsets = g.shape(locations)[2];
  if (offsets != 4 * classes || classes < 2)
    throw Error(ErrorKind::Format,
                fmt::format("'{}weight' has {} rows and '{}weight' {}, where four a class are needed",
                            layers.logits.path(), classes, layers.locations.path(), offsets));
  locations = g.reshape(locations, {shape[0], shape[1], classes, 4});

  Nms select;
  select.score_threshold = rule.score_threshold;
  select.min_size = rule.min_size;
  select.iou_threshold = static_cast<float>(options.number("iou_threshold", 0, 1));
  select.max_detections = options.integer("max_detections", 0, kMostCandidates);
  const Value boxes = g.decode_rois(locations, proposals.rows, sizes, {rule.coding, rule.one_scale});
  const Value detections = g.nms("detections", boxes, g.class_scores(logits, {}), select);
  return {{{"rpn_locations", proposals.locations},
           {"rpn_logits", proposals.logits},
           {"proposals", proposals.rows},
           {"roi_features", roi_features},
           {"locations", locations},
           {"logits", logits},
           {"detections", detections}},
          Task::Detect,
          classes};
}

kernels::BoxCoding torchvision_box_coding(const std::array<float, 4>& weights) {
  kernels::BoxCoding coding;
  for (size_t i = 0; i < 4; ++i) coding.variance[i] = 1 / weights[i];
  coding.max_log_size = static_cast<float>(std::log(1000.0 / 16));
  return coding;
}

}  // namespace tyto

#include <cmath>
#include <limits>

#include "engine/self_test/cases.h"

namespace tyto {
namespace {

// Two anchors a cell, two classes and the background: maps to detections. Thresholds lie where no score or
// overlap of this case comes near.
Value detection_head(Graph& g, const Weights& w, Value x) {
  const Value locations = g.concat_maps("locations", {g.conv2d(x, w.scope("locations"), {.kernel = 1})}, 4);
  const Value logits = g.concat_maps("logits", {g.conv2d(x, w.scope("logits"), {.kernel = 1})}, 3);
  const Shape& map = g.shape(x);
  std::vector<float> anchors;
  for (int64_t i = 0; i < map[2]; ++i)
    for (int64_t j = 0; j < map[3]; ++j)
      for (float size : {0.5f, 0.25f}) {
        const float row = (static_cast<float>(i) + 0.5f) / static_cast<float>(map[2]),
                    column = (static_cast<float>(j) + 0.5f) / static_cast<float>(map[3]);
        anchors.insert(anchors.end(), {column, row, size, size});
      }
  const Value boxes = g.decode_boxes(
      locations, Tensor::of<float>({static_cast<int64_t>(anchors.size()) / 4, 4}, anchors), {});
  return g.nms("detections", boxes, g.class_scores(logits, {}),
               {.score_threshold = 0.35f, .max_detections = 20});
}

// Boxes around a grid of anchors by the first four of the values of x [2, 24, 7].
Value boxes_of(Graph& g, Value x) {
  std::vector<float> anchors;
  for (int i = 0; i < 24; ++i)
    anchors.insert(anchors.end(), {static_cast<float>(i % 6) / 6, static_cast<float>(i / 6) / 4, 0.4f, 0.3f});
  return g.decode_boxes(g.slice(x, 2, 0, 4), Tensor::of<float>({24, 4}, anchors), {});
}

// Scores [2, count, 24] of x's last values.
Value scores_of(Graph& g, Value x, int64_t count) { return g.permute(g.slice(x, 2, 4, count), {0, 2, 1}); }

Value proposals_of_levels(Graph& g, const Weights&, Value x) {
  return g.nms("selected", boxes_of(g, x), scores_of(g, x, 1),
               {.score_threshold = -std::numeric_limits<float>::infinity(),
                .top_k = 9,
                .min_size = 0.3f,
                .iou_threshold = 0.3f,
                .rule = kernels::Suppress::GreaterEqual,
                .sigmoid = true,
                .max_detections = 8,
                .levels = {15, 0, 9}});
}

// Of proposals, whose number is known on the device alone: a box a class, the second twice the first.
Value boxes_of_classes(Graph& g, const Weights&, Value x) {
  const Value proposals = g.nms("selected", boxes_of(g, x), scores_of(g, x, 1),
                                {.score_threshold = 0.1f, .iou_threshold = 0.6f, .max_detections = 12});
  const Value first = g.slice(proposals, 2, 0, 4);
  const Value boxes = g.reshape(g.concat({first, g.add(first, first)}, 2), {2, 12, 2, 4});
  const Value scores = g.permute(g.slice(proposals, 2, 3, 2), {0, 2, 1});
  return g.apply(Nms{.score_threshold = -10, .iou_threshold = 0.2f, .plus_one = true},
                 {boxes, scores, *g.result(proposals).count});
}

Value all_classes_in_one_list(Graph& g, const Weights&, Value x) {
  return g.nms("selected", boxes_of(g, x), scores_of(g, x, 3),
               {.score_threshold = -0.2f, .top_k = 30, .iou_threshold = 0.3f, .agnostic = true});
}

// A value that all samples share.
Value shared(Graph& g, const std::string& name, const Shape& shape, const std::vector<float>& values) {
  return g.constant(constant(name, Tensor::of<float>(shape, values)), Elements::F32);
}

// Boxes about (8, 6) to (52, 30), pooled in both ways from two levels of maps of 40 x 72 pixels.
Value pooled_regions(Graph& g, const Weights& w, Value x) {
  const Value spread = shared(g, "spread", {4}, {9, 7, 15, 12}),
              corners = shared(g, "corners", {4}, {8, 6, 52, 30});
  const Value rois = g.add(g.mul(g.slice(x, 2, 0, 4), spread), corners);
  const Value map = g.to_map(g.reshape(g.slice(x, 2, 4, 60), {2, 8, 5, 9}));
  kernels::RoiLevels levels;
  levels.scales = {0.125f, 0.0625f};
  levels.count = 2;
  levels.canonical_size = 25;
  levels.canonical_level = 3;
  const std::vector<Value> maps = {map, g.max_pool(map, {.kernel = 1, .stride = 2})};
  const Value largest = g.roi_pool(rois, maps, {.height = 2, .width = 3, .levels = levels}),
              mean = g.roi_align(rois, maps, {.height = 2, .width = 3, .levels = levels});
  return g.reshape(g.linear(g.add(largest, mean), w), {2, 42});
}

// A detector of two stages on a map of 24 x 32 pixels, two classes and the background.
Value two_stages(Graph& g, const Weights& w, Value x) {
  const Value map = g.relu(g.conv2d(g.to_map(x), w.scope("trunk"), {.kernel = 8, .stride = 8}));
  const Value sizes = g.expand(shared(g, "sizes", {1, 4}, {24, 30, 12, 15}), {2, 4});
  DecodeProposals decode;
  decode.grid.count = 1;
  kernels::AnchorLevel& level = decode.grid.levels[0];
  kernels::centred_anchors(8, {0.5, 1}, {1, 2}, level);
  level.rows = 3;
  level.columns = 4;
  level.stride_y = level.stride_x = 8;
  decode.min_size = 3;
  const Value offsets = g.concat_maps("offsets", {g.conv2d(map, w.scope("offsets"), {})}, 4),
              objects = g.concat_maps("objects", {g.conv2d(map, w.scope("objects"), {})}, 2);
  const auto [boxes, scores] = g.decode_proposals(offsets, objects, sizes, decode);
  const Value proposals = g.nms("proposals", boxes, scores,
                                {.score_threshold = -INFINITY,
                                 .top_k = 30,
                                 .iou_threshold = 0.5f,
                                 .sigmoid = true,
                                 .max_per_class = 9});

  RoiAlign align = {.height = 2, .width = 2};
  align.levels.scales[0] = 0.125f;
  const Value features = g.roi_align(proposals, {map}, align);
  const Value y = g.relu(
      g.linear(g.relu(g.conv2d(features, w.scope("conv"), {.kernel = 3, .padding = 1})), w.scope("fc")));
  const Value logits = g.cast(g.linear(y, w.scope("logits")), Elements::F32);
  const Value locations = g.reshape(g.cast(g.linear(y, w.scope("locations")), Elements::F32), {2, 9, 3, 4});
  const Value found =
      g.decode_rois(locations, proposals, sizes, {.coding = {.variance = {0.1f, 0.1f, 0.2f, 0.2f}}});
  return g.nms("detections", found, g.class_scores(logits, {}),
               {.score_threshold = 0.3f, .iou_threshold = 0.6f, .max_detections = 12});
}

}  // namespace

std::vector<OperatorCase> detection_cases() {
  return {
      {"detection head",
       {2, 16, 5, 7},
       16,
       4,
       {{"locations.weight", {8, 16, 1, 1}}, {"logits.weight", {6, 16, 1, 1}}, {"logits.bias", {6}}},
       detection_head,
       /*selects=*/true},
      {"proposals of levels", {2, 24, 7}, 1, 1, {}, proposals_of_levels, /*selects=*/true, /*as_given=*/true},
      {"counted proposals, a box a class",
       {2, 24, 7},
       1,
       1,
       {},
       boxes_of_classes,
       /*selects=*/true,
       /*as_given=*/true},
      {"all classes in one list",
       {2, 24, 7},
       1,
       1,
       {},
       all_classes_in_one_list,
       /*selects=*/true,
       /*as_given=*/true},
      {"regions of two levels, pooled and aligned",
       {2, 6, 64},
       48,
       3,
       {{"weight", {7, 48}}, {"bias", {7}}},
       pooled_regions,
       /*selects=*/false,
       /*as_given=*/true},
      {"two stages",
       {2, 3, 24, 32},
       192,
       8,
       {{"trunk.weight", {16, 3, 8, 8}},
        {"offsets.weight", {16, 16, 1, 1}},
        {"objects.weight", {8, 16, 1, 1}},
        {"conv.weight", {16, 16, 3, 3}},
        {"fc.weight", {20, 64}},
        {"fc.bias", {20}},
        {"logits.weight", {3, 20}},
        {"logits.bias", {3}},
        {"locations.weight", {12, 20}}},
       two_stages,
       /*selects=*/true,
       /*as_given=*/true},
  };
}

}  // namespace tyto

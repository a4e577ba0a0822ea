#include "engine/graph/detection_shapes.h"

#include <numeric>

namespace tyto {

Result DetectionShapes::operator()(const ConcatMaps& op) const {
  int64_t rows = 0;
  for (size_t k = 0; k < node.inputs.size(); ++k) {
    const Shape& x = map(k);
    if (x[0] != in(0)[0] || x[1] % op.values != 0)
      fail(fmt::format("map {} does not hold {} values an anchor for each of {}", x.str(), op.values,
                       in(0).str()));
    rows += x[1] / op.values * x[2] * x[3];
  }
  check_numbers();
  return {{in(0)[0], rows, op.values}, Elements::F32, Kind::Rows};
}

Result DetectionShapes::operator()(const DecodeBoxes&) const {
  const Shape& offsets = rows(0, Elements::F32, "offsets [N, P, 4]");
  if (offsets.rank() != 3 || node.weights[0].shape() != Shape{offsets[1], 4} || offsets[2] != 4)
    fail(fmt::format("{} anchors do not fit offsets {}", node.weights[0].dim(0), offsets.str()));
  return {offsets, Elements::F32, Kind::Rows};
}

Result DetectionShapes::operator()(const ClassScores&) const {
  const Shape& logits = rows(0, Elements::F32, "logits [N, anchors, classes]");
  if (logits.rank() != 3 || logits[2] < 2)
    fail(fmt::format("needs [N, anchors, classes] with a background and a class, not {}", logits.str()));
  return {{logits[0], logits[2] - 1, logits[1]}, Elements::F32, Kind::Rows};
}

std::vector<Result> DetectionShapes::operator()(const Nms& op) const {
  const Shape &boxes = rows(0, Elements::F32, "boxes [N, P, 4] or [N, P, classes, 4]"),
              &scores = rows(1, Elements::F32, "scores [N, classes, P]");
  if (boxes.rank() < 3 || scores.rank() != 3 || scores[0] != boxes[0] || scores[2] != boxes[1] ||
      boxes != (boxes.rank() == 3 ? Shape{boxes[0], boxes[1], 4} : Shape{boxes[0], boxes[1], scores[1], 4}))
    fail(fmt::format("boxes {} do not fit scores {}", boxes.str(), scores.str()));
  if (node.inputs.size() > 2 && rows(2, Elements::I32, "a count [N]") != Shape{boxes[0]})
    fail(fmt::format("boxes {} do not fit their count {}", boxes.str(), in(2).str()));
  const int64_t of_levels = std::accumulate(op.levels.begin(), op.levels.end(), int64_t{0});
  if (of_levels != 0 && (of_levels != boxes[1] || scores[1] != 1 || op.agnostic))
    fail(fmt::format("levels of {} boxes do not fit scores {}, or are said to be one list", of_levels,
                     scores.str()));
  const int64_t capacity = kernels::detection_capacity(op, scores[1], scores[2]);
  return {{{boxes[0], capacity, kernels::kDetectionRow}, Elements::F32, Kind::Rows, own(1)},
          {{boxes[0]}, Elements::I32, Kind::Rows}};
}

void DetectionShapes::sizes(size_t i, int64_t samples) const {
  if (rows(i, Elements::F32, "sizes [N, 4]") != Shape{samples, kernels::kSizesRow})
    fail(fmt::format("needs sizes [{}, {}], not {}", samples, kernels::kSizesRow, in(i).str()));
}

std::vector<Result> DetectionShapes::operator()(const DecodeProposals& op) const {
  const Shape &offsets = rows(0, Elements::F32, "offsets [N, P, 4]"),
              &logits = rows(1, Elements::F32, "logits [N, P, 1 or 2]");
  if (offsets.rank() != 3 || offsets[1] != op.grid.anchors() || offsets[2] != 4)
    fail(fmt::format("{} anchors do not fit offsets {}", op.grid.anchors(), offsets.str()));
  if (logits.rank() != 3 || logits[0] != offsets[0] || logits[1] != offsets[1] || logits[2] < 1 ||
      logits[2] > 2)
    fail(fmt::format("logits {} do not fit offsets {}", logits.str(), offsets.str()));
  sizes(2, offsets[0]);
  return {{offsets, Elements::F32, Kind::Rows}, {{offsets[0], 1, offsets[1]}, Elements::F32, Kind::Rows}};
}

const Shape& DetectionShapes::rois(size_t i) const {
  const Shape& shape = rows(i, Elements::F32, "RoIs [N, R, 4 and more]");
  if (shape.rank() != 3 || shape[2] < 4)
    fail(fmt::format("needs RoIs [N, R, 4 and more], not {}", shape.str()));
  return shape;
}

Result DetectionShapes::pooled_rois(int height, int width, const kernels::RoiLevels& levels) const {
  const Shape &r = rois(0), &first = map(1);
  if (static_cast<size_t>(levels.count) != node.inputs.size() - 1 || levels.count > kernels::kMaxRoiLevels)
    fail(fmt::format("has {} maps for {} levels", node.inputs.size() - 1, levels.count));
  for (size_t i = 1; i < node.inputs.size(); ++i)
    if (map(i)[0] != r[0] || in(i)[1] != first[1] || input(i).elements != input(1).elements)
      fail(fmt::format("cannot pool {} of {} from {}", r.str(), described(1), described(i)));
  return {{r[0] * r[1], first[1], height, width}, input(1).elements, Kind::Map, input(0).count};
}
Result DetectionShapes::operator()(const RoiPool& op) const {
  return pooled_rois(op.height, op.width, op.levels);
}
Result DetectionShapes::operator()(const RoiAlign& op) const {
  return pooled_rois(op.height, op.width, op.levels);
}

Result DetectionShapes::operator()(const DecodeRois&) const {
  const Shape &offsets = rows(0, Elements::F32, "offsets [N, R, classes, 4]"), &r = rois(1);
  if (offsets.rank() != 4 || offsets[0] != r[0] || offsets[1] != r[1] || offsets[2] < 2 || offsets[3] != 4)
    fail(fmt::format("offsets {} do not fit RoIs {}", offsets.str(), r.str()));
  sizes(2, r[0]);
  return {{r[0], r[1], offsets[2] - 1, 4}, Elements::F32, Kind::Rows, input(1).count};
}

}  // namespace tyto

// Heads, boxes and non-maximum suppression.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "engine/reference/operators.h"

namespace tyto {
namespace {

using Corners = std::array<double, 4>;  // x1, y1, x2, y2

// `one`: 1 where a side is x2 - x1 + 1.
double area(const Corners& b, double one = 0) { return (b[2] - b[0] + one) * (b[3] - b[1] + one); }

double iou(const Corners& a, const Corners& b, double one) {
  const double width = std::max(0.0, std::min(a[2], b[2]) - std::max(a[0], b[0]) + one);
  const double height = std::max(0.0, std::min(a[3], b[3]) - std::max(a[1], b[1]) + one);
  return width * height / (area(a, one) + area(b, one) - width * height);
}

struct Found {
  double score;  // by which its list is sorted
  int64_t label, index;
  Corners box;
  bool operator<(const Found& o) const {
    if (score != o.score) return score > o.score;
    return label != o.label ? label < o.label : index < o.index;
  }
};

void keep_best(std::vector<Found>& found, int most) {
  if (most > 0 && found.size() > static_cast<size_t>(most)) found.resize(static_cast<size_t>(most));
}

std::vector<Found> suppress(const std::vector<Found>& candidates, const Nms& op) {
  std::vector<Found> kept;
  const double one = op.plus_one ? 1 : 0;
  for (const Found& c : candidates) {
    bool suppressed = op.min_size > 0 &&
                      (c.box[2] - c.box[0] + one < op.min_size || c.box[3] - c.box[1] + one < op.min_size);
    for (const Found& k : kept) {
      const double overlap = iou(k.box, c.box, one);
      suppressed |= overlap > op.iou_threshold ||
                    (overlap == op.iou_threshold && op.rule == kernels::Suppress::GreaterEqual) ||
                    (std::isnan(overlap) && op.empty_union == kernels::EmptyUnion::Drop);
    }
    if (!suppressed) kept.push_back(c);
  }
  return kept;
}

// Which of an image's lists a box is in.
int64_t list_of(const Nms& op, int64_t class_index, int64_t box) {
  if (op.agnostic) return 0;
  if (std::all_of(op.levels.begin(), op.levels.end(), [](int boxes) { return boxes == 0; }))
    return class_index;
  int64_t level = 0;
  while (box >= op.levels[static_cast<size_t>(level)]) box -= op.levels[static_cast<size_t>(level++)];
  return level;
}

}  // namespace

Results reference(const ConcatMaps& op, const Call& call) {
  Array rows = call.result();
  size_t at = 0;
  for (int64_t n = 0; n < rows.shape[0]; ++n)
    for (const Array* map : call.in)
      for (int64_t y = 0; y < map->shape[2]; ++y)
        for (int64_t x = 0; x < map->shape[3]; ++x)
          for (int64_t anchor = 0; anchor < map->shape[1] / op.values; ++anchor)
            for (int64_t v = 0; v < op.values; ++v)
              rows.values[at++] = map->at(n, anchor * op.values + v, y, x);
  return rows;
}

Results reference(const DecodeBoxes& op, const Call& call) {
  const Array& offsets = call.x();
  const std::vector<double> anchors = call.values(0);
  Array boxes = call.result();
  const double extent[2] = {op.width, op.height};
  for (size_t i = 0; i < boxes.values.size(); i += 4) {
    const double *d = &offsets.values[i], *a = &anchors[i % anchors.size()];
    for (size_t axis = 0; axis < 2; ++axis) {
      const double centre = a[axis] + d[axis] * op.coding.variance[axis] * a[axis + 2];
      const double size = a[axis + 2] * std::exp(std::min<double>(d[axis + 2] * op.coding.variance[axis + 2],
                                                                  op.coding.max_log_size));
      const double corners[2] = {centre - size / 2, centre + size / 2};
      for (size_t end = 0; end < 2; ++end)
        boxes.values[i + axis + 2 * end] =
            op.clip ? std::clamp(corners[end], 0.0, extent[axis]) : corners[end];
    }
  }
  return boxes;
}

Results reference(const ClassScores& op, const Call& call) {
  const Array& logits = call.x();
  Array scores = call.result();
  const int64_t classes = logits.shape[2], count = logits.shape[1];
  for (int64_t i = 0; i < logits.shape[0] * count; ++i) {
    const double* z = &logits.values[static_cast<size_t>(i * classes)];
    const double largest = *std::max_element(z, z + classes);
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c) sum += std::exp(z[c] - largest);
    for (int64_t c = 1; c < classes; ++c) {
      const auto at = static_cast<size_t>((i / count * (classes - 1) + c - 1) * count + i % count);
      scores.values[at] = op.function == kernels::ScoreFunction::Softmax ? std::exp(z[c] - largest) / sum
                                                                         : 1 / (1 + std::exp(-z[c]));
    }
  }
  return scores;
}

Results reference(const Nms& op, const Call& call) {
  const Array &boxes = call.x(), &scores = *call.in[1];
  Array rows = call.result(), counts = call.result(1);
  const Shape& shape = rows.shape;
  const int64_t classes = scores.shape[1], count = scores.shape[2];
  const bool class_boxes = boxes.shape.rank() == 4, has_levels = op.levels != decltype(op.levels){};
  for (int64_t n = 0; n < shape[0]; ++n) {
    std::map<int64_t, std::vector<Found>> lists;
    const auto there =
        call.in.size() > 2 ? static_cast<int64_t>(call.in[2]->values[static_cast<size_t>(n)]) : count;
    for (int64_t c = 0; c < classes; ++c)
      for (int64_t i = 0; i < std::min(count, there); ++i) {
        const double score = scores.values[static_cast<size_t>((n * classes + c) * count + i)];
        const int64_t box = class_boxes ? (n * count + i) * classes + c : n * count + i;
        const double* b = &boxes.values[static_cast<size_t>(box * 4)];
        const bool finite = std::all_of(b, b + 4, [](double v) { return std::isfinite(v); });
        const int64_t list = list_of(op, c, i);
        if (score > op.score_threshold && finite)
          lists[list].push_back({score, has_levels ? list + 1 : c + 1, i, {b[0], b[1], b[2], b[3]}});
      }
    std::vector<Found> all;
    for (auto& [list, candidates] : lists) {
      std::sort(candidates.begin(), candidates.end());
      keep_best(candidates, op.top_k);
      std::vector<Found> kept = suppress(candidates, op);
      keep_best(kept, op.max_per_class);
      all.insert(all.end(), kept.begin(), kept.end());
    }
    if (op.sigmoid)
      for (Found& f : all) f.score = 1 / (1 + std::exp(-f.score));
    std::stable_sort(all.begin(), all.end(), [](const Found& a, const Found& b) {
      return a.score > b.score;
    });  // lists stand in order
    if (op.clip) {
      for (Found& f : all)
        f.box = {std::clamp<double>(f.box[0], 0, op.width), std::clamp<double>(f.box[1], 0, op.height),
                 std::clamp<double>(f.box[2], 0, op.width), std::clamp<double>(f.box[3], 0, op.height)};
      std::erase_if(all, [](const Found& f) { return !(area(f.box) > 0); });
    }
    keep_best(all, op.max_detections);
    counts.values[static_cast<size_t>(n)] =
        static_cast<double>(std::min(shape[1], static_cast<int64_t>(all.size())));
    for (int64_t row = 0; row < shape[1]; ++row) {
      double* to = &rows.values[static_cast<size_t>((n * shape[1] + row) * shape[2])];
      to[5] = -1;
      if (row >= static_cast<int64_t>(all.size())) continue;
      const Found& f = all[static_cast<size_t>(row)];
      const std::array<double, 6> values = {f.box[0] * op.scale_x,
                                            f.box[1] * op.scale_y,
                                            f.box[2] * op.scale_x,
                                            f.box[3] * op.scale_y,
                                            f.score,
                                            static_cast<double>(f.label)};
      std::copy(values.begin(), values.end(), to);
    }
  }
  return {std::move(rows), std::move(counts)};
}

}  // namespace tyto

// What two-stage detectors have between their networks: proposals, and features and boxes of regions.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/reference/operators.h"

namespace tyto {
namespace {

using Corners = std::array<double, 4>;  // x1, y1, x2, y2

struct Extent {
  double width, height;
};

// Offsets to `reference`, clipped.
Corners decoded(const double* offsets, const Corners& reference, const kernels::BoxCoding& coding,
                const Extent& extent) {
  Corners box;
  const std::array<double, 2> extents = {extent.width, extent.height};
  for (size_t axis = 0; axis < 2; ++axis) {
    const size_t at = coding.y_first ? 1 - axis : axis;
    const double size = reference[axis + 2] - reference[axis];
    const double centre = reference[axis] + size / 2 + offsets[at] * coding.variance[axis] * size;
    const double log_size =
        std::min<double>(offsets[at + 2] * coding.variance[axis + 2], coding.max_log_size);
    const double half = size * std::exp(log_size) / 2;
    box[axis] = std::clamp(centre - half, 0.0, extents[axis]);
    box[axis + 2] = std::clamp(centre + half, 0.0, extents[axis]);
  }
  return box;
}

struct Sizes {
  Extent resized, original;
  double scale() const { return resized.width / original.width; }
};

Sizes sizes_of(const Array& sizes, int64_t n) {
  const double* row = &sizes.values[static_cast<size_t>(n * kernels::kSizesRow)];
  return {{row[1], row[0]}, {row[3], row[2]}};
}

// Rows of RoIs, a sample's behind another's.
struct RoiRows {
  const Array& rois;

  int64_t count() const { return rois.shape[0] * rois.shape[1]; }
  Corners box(int64_t i) const {
    const double* row = &rois.values[static_cast<size_t>(i * rois.shape[2])];
    return {row[0], row[1], row[2], row[3]};
  }
};

size_t level_of(const Corners& roi, const kernels::RoiLevels& levels) {
  if (levels.count == 1) return 0;
  const double first = -std::log2(levels.scales[0]), last = first + levels.count - 1;
  const double side = std::sqrt((roi[2] - roi[0]) * (roi[3] - roi[1]));
  const double level = std::floor(levels.canonical_level + std::log2(side / levels.canonical_size) + 1e-6);
  return static_cast<size_t>(std::clamp(level, first, last) - first);
}

// Calls pool(map, image, roi, scale, at) for every region; `at` numbers the result's images.
template <class Pool>
Array pool_rois(const Call& call, const kernels::RoiLevels& levels, const Pool& pool) {
  Array y = call.result();
  const RoiRows rois = {call.x()};
  for (int64_t i = 0; i < rois.count(); ++i) {
    const Corners roi = rois.box(i);
    const size_t level = level_of(roi, levels);
    pool(*call.in[1 + level], i / call.x().shape[1], roi, levels.scales[level], i, y);
  }
  return y;
}

int64_t rounded(double coordinate, float scale) {
  return static_cast<int64_t>(std::round(static_cast<float>(coordinate) * scale));
}

double bilinear(const Array& map, int64_t n, int64_t c, double y, double x) {
  const int64_t height = map.shape[2], width = map.shape[3];
  if (y < -1 || y > static_cast<double>(height) || x < -1 || x > static_cast<double>(width)) return 0;
  y = std::clamp(y, 0.0, static_cast<double>(height - 1));
  x = std::clamp(x, 0.0, static_cast<double>(width - 1));
  const auto top = static_cast<int64_t>(y), left = static_cast<int64_t>(x);
  const int64_t bottom = std::min(top + 1, height - 1), right = std::min(left + 1, width - 1);
  const double dy = y - static_cast<double>(top), dx = x - static_cast<double>(left);
  return (1 - dy) * ((1 - dx) * map.at(n, c, top, left) + dx * map.at(n, c, top, right)) +
         dy * ((1 - dx) * map.at(n, c, bottom, left) + dx * map.at(n, c, bottom, right));
}

}  // namespace

Results reference(const DecodeProposals& op, const Call& call) {
  const Array &offsets = call.x(), &logits = *call.in[1], &sizes = *call.in[2];
  Array boxes = call.result(), scores = call.result(1);
  size_t at = 0;
  for (int64_t n = 0; n < offsets.shape[0]; ++n) {
    const Sizes size = sizes_of(sizes, n);
    for (int l = 0; l < op.grid.count; ++l) {
      const kernels::AnchorLevel& level = op.grid.levels[static_cast<size_t>(l)];
      for (int64_t i = 0; i < level.count(); ++i, ++at) {
        const int64_t cell = i / level.per_cell;
        const double y = static_cast<double>(cell / level.columns) * level.stride_y,
                     x = static_cast<double>(cell % level.columns) * level.stride_x;
        const kernels::Box& anchor = level.cell[static_cast<size_t>(i % level.per_cell)];
        const Corners box =
            decoded(&offsets.values[at * 4], {x + anchor.x1, y + anchor.y1, x + anchor.x2, y + anchor.y2},
                    op.coding, size.resized);
        std::copy(box.begin(), box.end(), &boxes.values[at * 4]);
        const auto values = static_cast<size_t>(logits.shape[2]);
        const double* logit = &logits.values[at * values];
        const double least = op.min_size * size.scale();
        const bool large = op.min_size == 0 || (box[2] - box[0] >= least && box[3] - box[1] >= least);
        scores.values[at] = !large        ? std::numeric_limits<double>::quiet_NaN()
                            : values == 2 ? logit[1] - logit[0]
                                          : logit[0];
      }
    }
  }
  return {std::move(boxes), std::move(scores)};
}

Results reference(const RoiPool& op, const Call& call) {
  return pool_rois(
      call, op.levels,
      [&](const Array& map, int64_t n, const Corners& roi, float scale, int64_t at, Array& y) {
        const int64_t begin[2] = {rounded(roi[1], scale), rounded(roi[0], scale)},
                      end[2] = {rounded(roi[3], scale), rounded(roi[2], scale)};
        const int64_t bins[2] = {op.height, op.width}, extent[2] = {map.shape[2], map.shape[3]};
        // Of bin i along an axis: its cells, within the map. The bins' bounds are rounded in float.
        const auto cells = [&](int axis, int64_t i) {
          const float bin = static_cast<float>(std::max<int64_t>(end[axis] - begin[axis] + 1, 1)) /
                            static_cast<float>(bins[axis]);
          const auto from = static_cast<int64_t>(std::floor(static_cast<float>(i) * bin)),
                     to = static_cast<int64_t>(std::ceil(static_cast<float>(i + 1) * bin));
          return std::pair(std::clamp<int64_t>(from + begin[axis], 0, extent[axis]),
                           std::clamp<int64_t>(to + begin[axis], 0, extent[axis]));
        };
        for_each_element({1, y.shape[1], op.height, op.width}, [&](int64_t, int64_t c, int64_t i, int64_t j) {
          const auto [top, bottom] = cells(0, i);
          const auto [left, right] = cells(1, j);
          double largest = bottom > top && right > left ? -std::numeric_limits<double>::infinity() : 0;
          for (int64_t r = top; r < bottom; ++r)
            for (int64_t s = left; s < right; ++s) largest = std::max(largest, map.at(n, c, r, s));
          y.at(at, c, i, j) = largest;
        });
      });
}

Results reference(const RoiAlign& op, const Call& call) {
  return pool_rois(
      call, op.levels,
      [&](const Array& map, int64_t n, const Corners& roi, float scale, int64_t at, Array& y) {
        const double shift = op.aligned ? 0.5 : 0;
        const double top = roi[1] * scale - shift, left = roi[0] * scale - shift;
        double height = roi[3] * scale - shift - top, width = roi[2] * scale - shift - left;
        if (!op.aligned) {
          height = std::max(height, 1.0);
          width = std::max(width, 1.0);
        }
        const double bin[2] = {height / op.height, width / op.width};
        const auto samples = [&](double size) {
          return op.sampling_ratio > 0 ? op.sampling_ratio : static_cast<int>(std::ceil(size));
        };
        const int rows = samples(bin[0]), columns = samples(bin[1]);
        for_each_element({1, y.shape[1], op.height, op.width}, [&](int64_t, int64_t c, int64_t i, int64_t j) {
          double sum = 0;
          for (int r = 0; r < rows; ++r)
            for (int s = 0; s < columns; ++s)
              sum += bilinear(map, n, c, top + (static_cast<double>(i) + (r + 0.5) / rows) * bin[0],
                              left + (static_cast<double>(j) + (s + 0.5) / columns) * bin[1]);
          y.at(at, c, i, j) = sum / std::max(rows * columns, 1);
        });
      });
}

Results reference(const DecodeRois& op, const Call& call) {
  const Array &offsets = call.x(), &sizes = *call.in[2];
  const RoiRows rois = {*call.in[1]};
  const int64_t classes = offsets.shape[2];
  Array boxes = call.result();
  for (int64_t i = 0; i < rois.count(); ++i) {
    const Sizes size = sizes_of(sizes, i / rois.rois.shape[1]);
    Extent extent = size.resized;
    if (op.one_scale) extent = {size.original.width * size.scale(), size.original.height * size.scale()};
    for (int64_t c = 1; c < classes; ++c) {
      const Corners box = decoded(&offsets.values[static_cast<size_t>((i * classes + c) * 4)], rois.box(i),
                                  op.coding, extent);
      std::copy(box.begin(), box.end(), &boxes.values[static_cast<size_t>((i * (classes - 1) + c - 1) * 4)]);
    }
  }
  return boxes;
}

}  // namespace tyto

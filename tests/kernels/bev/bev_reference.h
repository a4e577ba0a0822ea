// What the bird's-eye view's pooling is judged by: cells of points and the index of them, made without any
// hurry, and the sums in double over points, not over runs.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <vector>

#include "kernels/bev/bev_pool.h"
#include "kernels/bev/bev_rig.h"
#include "kernels/bev/camera_math.h"
#include "kernels/common/computed.h"

namespace tyto::kernels::bev_reference {

// Each point's cell, [cameras, bins, height, width].
inline std::vector<int32_t> cells_of(const bev_rig::BevCase& c) {
  const Frustum& f = c.frustum;
  const bev_rig::Matrices<double> m = c.matrices<double>();
  std::vector<int32_t> cells;
  for (size_t camera = 0; camera < m.intrinsics.size() / 9; ++camera) {
    const auto back = unprojection_of<double, double>(
        &m.intrinsics[9 * camera], &m.camera_to_grid[16 * camera], &m.image_augmentation[9 * camera]);
    for (int bin = 0; bin < f.bins; ++bin)
      for (int row = 0; row < f.height; ++row)
        for (int column = 0; column < f.width; ++column) {
          double p[3];
          back.point(linspace_at<double>(column, f.width, f.image_width - 1),
                     linspace_at<double>(row, f.height, f.image_height - 1),
                     f.first_depth + bin * f.depth_step, p);
          cells.push_back(cell_of(c.grid, p));
        }
  }
  return cells;
}

struct Index {
  std::vector<int32_t> cell_starts, cells;
  std::vector<BevRun> runs;

  BevIndex view() const { return {cell_starts.data(), runs.data(), cells.data()}; }
};

// cells: [samples, cameras, bins, height, width]. Runs behind the last are poison.
inline Index index_of(const std::vector<int32_t>& cells, const Frustum& f, const BevGrid& grid,
                      int64_t samples, int64_t cameras) {
  const auto capacity = static_cast<size_t>(bev_run_capacity(f, cameras));
  Index out{{}, cells, {}};
  for (int64_t sample = 0; sample < samples; ++sample) {
    std::vector<std::vector<BevRun>> of_cell(static_cast<size_t>(grid.size()));
    for (int64_t depth = 0; depth < cameras * f.bins; ++depth)  // camera * bins + bin
      for (int column = 0; column < f.width; ++column)
        for (int row = 0; row < f.height; ++row) {
          const auto cell = [&](int r) {
            return cells[static_cast<size_t>(((sample * cameras * f.bins + depth) * f.height + r) * f.width +
                                             column)];
          };
          if (cell(row) < 0) continue;
          std::vector<BevRun>& runs = of_cell[static_cast<size_t>(cell(row))];
          if (row > 0 && cell(row - 1) == cell(row))
            ++runs.back().rows;
          else
            runs.push_back({static_cast<int32_t>(depth * f.width + column), static_cast<uint16_t>(row), 1});
        }
    for (const auto& runs : of_cell) {
      out.cell_starts.push_back(
          static_cast<int32_t>(out.runs.size() - static_cast<size_t>(sample) * capacity));
      out.runs.insert(out.runs.end(), runs.begin(), runs.end());
    }
    out.cell_starts.push_back(static_cast<int32_t>(out.runs.size() - static_cast<size_t>(sample) * capacity));
    out.runs.resize(static_cast<size_t>(sample + 1) * capacity, BevRun{INT32_MAX, UINT16_MAX, UINT16_MAX});
  }
  return out;
}

// Dense arrays, whatever layout a kernel is given them in.
struct Maps {
  int64_t samples = 1, cameras = 1, channels = 1;
  std::vector<double> depth;     // [samples, cameras, height, width, bins]
  std::vector<double> features;  // [samples, cameras, height, width, channels]
};

struct Weights {
  std::vector<double> values;  // as Maps::depth
  std::vector<double> range;   // of each, the largest distance of a logit that counts from the largest
};

inline Weights weights_of(const Maps& m, const BevPool& p) {
  const auto bins = static_cast<size_t>(p.frustum.bins);
  Weights out{m.depth, std::vector<double>(m.depth.size())};
  if (!p.logits) return out;
  for (size_t first = 0; first < m.depth.size(); first += bins) {
    double largest = -INFINITY, sum = 0, range = 0;
    for (size_t bin = 0; bin < bins; ++bin) largest = std::max(largest, m.depth[first + bin]);
    for (size_t bin = 0; bin < bins; ++bin) {
      const double from = m.depth[first + bin] - largest;
      sum += std::exp(from);
      if (from > -87) range = std::max(range, -from);
    }
    for (size_t bin = 0; bin < bins; ++bin) {
      out.values[first + bin] = std::exp(m.depth[first + bin] - largest) / sum;
      out.range[first + bin] = range;
    }
  }
  return out;
}

struct Pooled {
  std::vector<double> out;       // [samples, cells, channels]
  std::vector<double> error;     // what a kernel over T may be off by before it rounds to T
  std::vector<int32_t> winners;  // of Max, of products rounded to Computed<T>
};

// Over points in the order of a cell's runs: camera, bin, column, row.
template <class T>
Pooled pooled(const Maps& m, const BevPool& p, const std::vector<int32_t>& cells) {
  using C = Computed<T>;
  constexpr double kUnit = std::is_same_v<C, double> ? 0x1p-53 : 0x1p-24;
  constexpr double kLeast = std::is_same_v<C, double> ? 0x1p-1022 : 0x1p-126;  // e^x below it may be 0
  const Frustum& f = p.frustum;
  const Weights weights = weights_of(m, p);
  const int64_t grid = p.grid.size(), channels = m.channels, images = m.samples * m.cameras;
  Pooled out;
  out.out.resize(static_cast<size_t>(m.samples * grid * channels));
  out.error.resize(out.out.size());
  out.winners.assign(out.out.size(), -1);
  std::vector<double> count(static_cast<size_t>(m.samples * grid)), magnitude(out.out.size()),
      of_weights(out.out.size());
  for (int64_t image = 0; image < images; ++image)
    for (int64_t bin = 0; bin < f.bins; ++bin)
      for (int64_t column = 0; column < f.width; ++column)
        for (int64_t row = 0; row < f.height; ++row) {
          const int64_t point = ((image * f.bins + bin) * f.height + row) * f.width + column,
                        pixel = (image * f.height + row) * f.width + column;
          const int32_t cell = cells[static_cast<size_t>(point)];
          if (cell < 0) continue;
          const auto at = static_cast<size_t>(image / m.cameras * grid + cell);
          const auto weight = static_cast<size_t>(pixel * f.bins + bin);
          ++count[at];
          for (int64_t c = 0; c < channels; ++c) {
            const size_t to = at * static_cast<size_t>(channels) + static_cast<size_t>(c);
            const double feature = m.features[static_cast<size_t>(pixel * channels + c)];
            double v = weights.values[weight] * feature;
            magnitude[to] += std::abs(v);
            const double roundings = 11 + 4.5 * weights.range[weight] + f.bins;
            of_weights[to] += p.logits ? roundings * kUnit * std::abs(v) + kLeast * std::abs(feature) : 0;
            if (p.reduction != BevReduction::Max) {
              out.out[to] += v;
              continue;
            }
            v = static_cast<double>(static_cast<C>(v));
            if (out.winners[to] < 0 || v > out.out[to] || (std::isnan(v) && !std::isnan(out.out[to]))) {
              out.out[to] = v;
              out.winners[to] = static_cast<int32_t>(point - image / m.cameras * m.cameras * f.points());
            }
          }
        }
  for (size_t i = 0; i < out.out.size(); ++i) {
    const double points = count[i / static_cast<size_t>(channels)];
    const double by = p.reduction == BevReduction::Mean && points > 0 ? points : 1;
    out.out[i] /= by;
    // A product, a sum and, of a mean, a quotient of each: relative to what is summed.
    out.error[i] = ((points + 3) * kUnit * magnitude[i] + of_weights[i]) * 1.01 / by;
  }
  return out;
}

}  // namespace tyto::kernels::bev_reference

// The other ways to pool, as others have them: what ours are compared with, in time and in result.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/bev/bev_pool.h"

namespace tyto::kernels::bev_formulations {

// Points in the order of the lists that BEVDet's view transform makes of a calibration, by cell.
struct Points {
  std::vector<int32_t> depth, pixel, cell;  // into [cameras, height, width, bins], [cameras, height, width]
};

// Of one sample's cells [cameras, bins, height, width], -1 outside.
inline Points points_by_cell(const int32_t* cells, const Frustum& f, int64_t cameras) {
  std::vector<int32_t> order;
  for (int64_t i = 0; i < cameras * f.points(); ++i)
    if (cells[i] >= 0) order.push_back(static_cast<int32_t>(i));
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return cells[a] < cells[b]; });
  Points out;
  for (const int32_t i : order) {
    const int32_t area = f.height * f.width, at = i % area, bin = i / area % f.bins,
                  camera = i / area / f.bins;
    out.pixel.push_back(camera * area + at);
    out.depth.push_back(out.pixel.back() * f.bins + bin);
    out.cell.push_back(cells[i]);
  }
  return out;
}

inline void softmax_rows(const float* logits, int64_t rows, int64_t size, float* weights) {
#pragma omp parallel for
  for (int64_t r = 0; r < rows; ++r) {
    const float* x = logits + r * size;
    float largest = x[0], sum = 0;
    for (int64_t k = 1; k < size; ++k) largest = std::max(largest, x[k]);
    for (int64_t k = 0; k < size; ++k) sum += weights[r * size + k] = std::exp(x[k] - largest);
    for (int64_t k = 0; k < size; ++k) weights[r * size + k] /= sum;
  }
}

// BEVDepth's voxel_pooling, inference: every point adds its channels to its cell, atomically. In any order,
// so that sums differ from run to run.
inline void atomic(const Points& points, const float* weights, const float* features, int64_t channels,
                   int64_t cells, float* out) {
#pragma omp parallel for
  for (int64_t i = 0; i < cells * channels; ++i) out[i] = 0;
#pragma omp parallel for
  for (int64_t i = 0; i < static_cast<int64_t>(points.cell.size()); ++i) {
    const auto at = static_cast<size_t>(i);
    const float weight = weights[points.depth[at]];
    const float* feature = features + points.pixel[at] * channels;
    float* to = out + points.cell[at] * channels;
    for (int64_t c = 0; c < channels; ++c) {
#pragma omp atomic
      to[c] += weight * feature[c];
    }
  }
}

// Lift-Splat-Shoot's: sums of all points up to each, of which a cell is the difference of two. It loses the
// bits that its neighbours' sums take; `lifted` holds a row a point.
inline void cumsum(const Points& points, const float* weights, const float* features, int64_t channels,
                   int64_t cells, float* lifted, float* out) {
  const auto count = static_cast<int64_t>(points.cell.size());
#pragma omp parallel for
  for (int64_t i = 0; i < cells * channels; ++i) out[i] = 0;
#pragma omp parallel for
  for (int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<size_t>(i);
    for (int64_t c = 0; c < channels; ++c)
      lifted[i * channels + c] = weights[points.depth[at]] * features[points.pixel[at] * channels + c];
  }
#pragma omp parallel for schedule(static, 1)
  for (int64_t first = 0; first < channels; first += 16)
    for (int64_t i = 1; i < count; ++i)
      for (int64_t c = first; c < std::min(first + 16, channels); ++c)
        lifted[i * channels + c] += lifted[(i - 1) * channels + c];
  for (int64_t i = 0, before = -1; i < count; ++i) {
    const auto at = static_cast<size_t>(i);
    if (i + 1 < count && points.cell[at] == points.cell[at + 1]) continue;
    for (int64_t c = 0; c < channels; ++c)
      out[points.cell[at] * channels + c] =
          lifted[i * channels + c] - (before < 0 ? 0 : lifted[before * channels + c]);
    before = i;
  }
}

}  // namespace tyto::kernels::bev_formulations

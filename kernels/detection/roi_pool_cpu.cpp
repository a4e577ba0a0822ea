#include <cfloat>
#include <vector>

#include "kernels/common/multiversion.h"
#include "kernels/detection/roi_channels_cpu.h"
#include "kernels/detection/roi_levels_math.h"
#include "kernels/detection/roi_pool_math.h"

namespace tyto::kernels {
namespace {

// A region's bins.
struct Bins {
  std::vector<CellRange> rows, columns;

  explicit Bins(const RoiPool& params)
      : rows(static_cast<size_t>(params.height)), columns(static_cast<size_t>(params.width)) {}

  void set(const Box& box, float scale, const ChannelBlocks<const float>& map) {
    place(box.y1, box.y2, scale, map.height, rows);
    place(box.x1, box.x2, scale, map.width, columns);
  }

 private:
  static void place(float low, float high, float scale, int64_t extent, std::vector<CellRange>& ranges) {
    const PoolAxis axis = pool_axis(low, high, scale, static_cast<int>(ranges.size()));
    for (size_t bin = 0; bin < ranges.size(); ++bin)
      ranges[bin] = cells_of_bin(axis, static_cast<int>(bin), static_cast<int>(extent));
  }
};

// Some channels of one region.
struct Work {
  const float* map;             // cell (0, 0)
  int64_t map_width, map_step;  // cells a row, floats a cell
  float* features;              // bin (0, 0)
  int32_t* argmax;              // or null
  int64_t features_step;
};

template <int kLanes, bool kArgmax>
[[gnu::always_inline]] inline void pool_bin(const Work& w, CellRange rows, CellRange columns, int64_t to) {
  const bool is_empty = rows.end <= rows.begin || columns.end <= columns.begin;
  float best[kLanes];
  int32_t where[kLanes];
  for (int l = 0; l < kLanes; ++l) best[l] = is_empty ? 0.0f : -FLT_MAX;
  for (int l = 0; l < kLanes; ++l) where[l] = -1;
  for (int y = rows.begin; y < rows.end; ++y) {
    const int64_t first = y * w.map_width + columns.begin;
    const float* cell = w.map + first * w.map_step;
    for (int x = columns.begin; x < columns.end; ++x, cell += w.map_step) {
      const int32_t index = static_cast<int32_t>(y * w.map_width) + x;
      for (int l = 0; l < kLanes; ++l) {
        const bool more = cell[l] > best[l];
        best[l] = more ? cell[l] : best[l];
        if constexpr (kArgmax) where[l] = more ? index : where[l];
      }
    }
  }
  for (int l = 0; l < kLanes; ++l) w.features[to + l] = best[l];
  if constexpr (kArgmax)
    for (int l = 0; l < kLanes; ++l) w.argmax[to + l] = where[l];
}

template <int kLanes, bool kArgmax>
[[gnu::always_inline]] inline void pool_lanes(Work& w, const Bins& bins, int64_t& lanes) {
  for (; lanes >= kLanes; lanes -= kLanes) {
    int64_t to = 0;
    for (const CellRange& rows : bins.rows)
      for (const CellRange& columns : bins.columns) {
        pool_bin<kLanes, kArgmax>(w, rows, columns, to);
        to += w.features_step;
      }
    w.map += kLanes;
    w.features += kLanes;
    if constexpr (kArgmax) w.argmax += kLanes;
  }
}

TYTO_MULTIVERSION void pool(Work w, const Bins& bins, int64_t lanes) {
  pool_lanes<64, false>(w, bins, lanes);
  pool_lanes<16, false>(w, bins, lanes);
  pool_lanes<8, false>(w, bins, lanes);
  pool_lanes<1, false>(w, bins, lanes);
}

TYTO_MULTIVERSION void pool_with_argmax(Work w, const Bins& bins, int64_t lanes) {
  pool_lanes<32, true>(w, bins, lanes);
  pool_lanes<16, true>(w, bins, lanes);
  pool_lanes<8, true>(w, bins, lanes);
  pool_lanes<1, true>(w, bins, lanes);
}

}  // namespace

void roi_pool_cpu(std::span<const ChannelBlocks<const float>> maps, const Rois& rois, const RoiPool& params,
                  const ChannelBlocks<float>& features, int32_t* argmax) {
  const RoiLevelBounds bounds = roi_level_bounds(params.levels);
#pragma omp parallel
  {
    Bins bins(params);
#pragma omp for schedule(dynamic)
    for (int64_t row = 0; row < rois.total(); ++row) {
      const int level = rois.holds(row) ? roi_level(rois.box(row), bounds) : -1;
      if (level < 0 || features.channels % features.block != 0) {
        fill_image(features, features.data, row, 0.0f);
        if (argmax) fill_image(features, argmax, row, -1);
      }
      if (level < 0) continue;
      const ChannelBlocks<const float>& map = maps[static_cast<size_t>(level)];
      bins.set(rois.box(row), params.levels.scales[static_cast<size_t>(level)], map);
      for_each_run(map, features, [&](int64_t channel, int64_t count) {
        float* to = channel_of(features, row, channel);
        const Work work = {channel_of(map, row / rois.capacity, channel),    map.width,     map.block, to,
                           argmax ? argmax + (to - features.data) : nullptr, features.block};
        (argmax ? pool_with_argmax : pool)(work, bins, count);
      });
    }
  }
}

}  // namespace tyto::kernels

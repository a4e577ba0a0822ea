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
  int64_t map_width, map_cell;  // cells a row, floats a cell
  float* features;              // bin (0, 0)
  int32_t* argmax;              // or null
  int64_t features_bin;         // floats a bin
  ChannelGroups groups;

  void skip(int64_t count) {
    map += count * groups.map_step;
    features += count * groups.features_step;
    if (argmax) argmax += count * groups.features_step;
    groups.count -= count;
  }
};

// kGroups runs of kLanes channels at a time, because a maximum waits for the one before.
template <int kLanes, int kGroups, bool kArgmax>
[[gnu::always_inline]] inline void pool_bin(const Work& w, CellRange rows, CellRange columns, int64_t to) {
  const bool is_empty = rows.end <= rows.begin || columns.end <= columns.begin;
  float best[kGroups][kLanes];
  int32_t where[kGroups][kLanes];
  for (int g = 0; g < kGroups; ++g)
    for (int l = 0; l < kLanes; ++l) best[g][l] = is_empty ? 0.0f : -FLT_MAX;
  for (int g = 0; g < kGroups; ++g)
    for (int l = 0; l < kLanes; ++l) where[g][l] = -1;
  for (int y = rows.begin; y < rows.end; ++y) {
    const float* cell = w.map + (y * w.map_width + columns.begin) * w.map_cell;
    for (int x = columns.begin; x < columns.end; ++x, cell += w.map_cell) {
      const int32_t index = static_cast<int32_t>(y * w.map_width) + x;
      for (int g = 0; g < kGroups; ++g) {
        const float* v = cell + g * w.groups.map_step;
        if constexpr (kArgmax) {
          for (int l = 0; l < kLanes; ++l) {
            const bool more = v[l] > best[g][l];
            best[g][l] = more ? v[l] : best[g][l];
            where[g][l] = more ? index : where[g][l];
          }
        } else {
#pragma omp simd  // g++ takes eight lanes apart, otherwise
          for (int l = 0; l < kLanes; ++l) best[g][l] = v[l] > best[g][l] ? v[l] : best[g][l];
        }
      }
    }
  }
  for (int g = 0; g < kGroups; ++g) {
    const int64_t first = to + g * w.groups.features_step;
    for (int l = 0; l < kLanes; ++l) w.features[first + l] = best[g][l];
    if constexpr (kArgmax)
      for (int l = 0; l < kLanes; ++l) w.argmax[first + l] = where[g][l];
  }
}

template <int kLanes, int kGroups, bool kArgmax>
[[gnu::always_inline]] inline void pool_groups(Work& w, const Bins& bins) {
  for (; w.groups.count >= kGroups; w.skip(kGroups)) {
    int64_t to = 0;
    for (const CellRange& rows : bins.rows)
      for (const CellRange& columns : bins.columns) {
        pool_bin<kLanes, kGroups, kArgmax>(w, rows, columns, to);
        to += w.features_bin;
      }
  }
}

template <bool kArgmax>
[[gnu::always_inline]] inline void pool_all(Work& w, const Bins& bins) {
  constexpr int kAtOnce = kArgmax ? 1 : 4;
  if (w.groups.lanes == 16) {
    pool_groups<16, kAtOnce, kArgmax>(w, bins);
    pool_groups<16, 1, kArgmax>(w, bins);
  } else if (w.groups.lanes == 8) {
    pool_groups<8, kAtOnce, kArgmax>(w, bins);
    pool_groups<8, 1, kArgmax>(w, bins);
  } else {
    pool_groups<1, 1, kArgmax>(w, bins);
  }
}

TYTO_MULTIVERSION void pool(Work w, const Bins& bins) { pool_all<false>(w, bins); }
TYTO_MULTIVERSION void pool_with_argmax(Work w, const Bins& bins) { pool_all<true>(w, bins); }

}  // namespace

void roi_pool_cpu(std::span<const ChannelBlocks<const float>> maps, const Rois& rois, const RoiPool& params,
                  const ChannelBlocks<float>& features, int32_t* argmax) {
  const RoiLevelBounds bounds = roi_level_bounds(params.levels);
  std::vector<std::vector<ChannelGroups>> groups;  // of each level
  for (const auto& map : maps) groups.push_back(channel_groups(map, features));
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
      for (const ChannelGroups& some : groups[static_cast<size_t>(level)]) {
        float* to = channel_of(features, row, some.first);
        const Work work = {channel_of(map, rois.image(row), some.first),     map.width,      map.block, to,
                           argmax ? argmax + (to - features.data) : nullptr, features.block, some};
        (argmax ? pool_with_argmax : pool)(work, bins);
      }
    }
  }
}

}  // namespace tyto::kernels

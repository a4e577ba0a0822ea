#include "kernels/common/multiversion.h"
#include "kernels/detection/roi_align_samples_cpu.h"
#include "kernels/detection/roi_channels_cpu.h"
#include "kernels/detection/roi_levels_math.h"

namespace tyto::kernels {
namespace {

// Some channels of one region.
struct Work {
  const float* map;             // cell (0, 0)
  int64_t map_width, map_cell;  // cells a row, floats a cell
  float* features;              // bin (0, 0)
  int64_t features_bin;         // floats a bin
  ChannelGroups groups;

  const float* cell(int row, int column) const { return map + (row * map_width + column) * map_cell; }
  void skip(int64_t count) {
    map += count * groups.map_step;
    features += count * groups.features_step;
    groups.count -= count;
  }
};

// kGroups runs of kLanes channels at a time: the weights serve them all.
template <int kLanes, int kGroups>
[[gnu::always_inline]] inline void align_bin(const Work& w, const AlignSamples& samples, size_t row,
                                             size_t column, float count, float* to) {
  const AxisTaps &rows = samples.rows, &columns = samples.columns;
  float sum[kGroups][kLanes];
  for (int g = 0; g < kGroups; ++g)
    for (int l = 0; l < kLanes; ++l) sum[g][l] = 0;
  for (size_t i = rows.begin[row]; i < rows.begin[row + 1]; ++i)
    for (size_t k = columns.begin[column]; k < columns.begin[column + 1]; ++k) {
      const AlignTap y = rows.taps[i], x = columns.taps[k];
      const float w1 = y.weight_low * x.weight_low, w2 = y.weight_low * x.weight_high,
                  w3 = y.weight_high * x.weight_low, w4 = y.weight_high * x.weight_high;
      const float *c1 = w.cell(y.low, x.low), *c2 = w.cell(y.low, x.high), *c3 = w.cell(y.high, x.low),
                  *c4 = w.cell(y.high, x.high);
      for (int g = 0; g < kGroups; ++g) {
        const int64_t at = g * w.groups.map_step;
        const float *v1 = c1 + at, *v2 = c2 + at, *v3 = c3 + at, *v4 = c4 + at;
        for (int l = 0; l < kLanes; ++l) sum[g][l] += w1 * v1[l] + w2 * v2[l] + w3 * v3[l] + w4 * v4[l];
      }
    }
  for (int g = 0; g < kGroups; ++g)
    for (int l = 0; l < kLanes; ++l) to[g * w.groups.features_step + l] = sum[g][l] / count;
}

template <int kLanes, int kGroups>
[[gnu::always_inline]] inline void align_groups(Work& w, const AlignSamples& samples, float count) {
  const size_t height = samples.rows.begin.size() - 1, width = samples.columns.begin.size() - 1;
  for (; w.groups.count >= kGroups; w.skip(kGroups)) {
    float* to = w.features;
    for (size_t row = 0; row < height; ++row)
      for (size_t column = 0; column < width; ++column, to += w.features_bin)
        align_bin<kLanes, kGroups>(w, samples, row, column, count, to);
  }
}

TYTO_MULTIVERSION void align(Work w, const AlignSamples& samples, float count) {
  if (w.groups.lanes == 16) {
    align_groups<16, 4>(w, samples, count);
    align_groups<16, 1>(w, samples, count);
  } else if (w.groups.lanes == 8) {
    align_groups<8, 4>(w, samples, count);
    align_groups<8, 1>(w, samples, count);
  } else {
    align_groups<1, 1>(w, samples, count);
  }
}

}  // namespace

void roi_align_cpu(std::span<const ChannelBlocks<const float>> maps, const Rois& rois, const RoiAlign& params,
                   const ChannelBlocks<float>& features) {
  const RoiLevelBounds bounds = roi_level_bounds(params.levels);
  std::vector<std::vector<ChannelGroups>> groups;  // of each level
  for (const auto& map : maps) groups.push_back(channel_groups(map, features));
#pragma omp parallel
  {
    AlignSamples samples;
#pragma omp for schedule(dynamic)
    for (int64_t row = 0; row < rois.total(); ++row) {
      const int level = rois.holds(row) ? roi_level(rois.box(row), bounds) : -1;
      if (level < 0 || features.channels % features.block != 0)
        fill_image(features, features.data, row, 0.0f);
      if (level < 0) continue;
      const ChannelBlocks<const float>& map = maps[static_cast<size_t>(level)];
      samples.set(rois.box(row), params, params.levels.scales[static_cast<size_t>(level)], map);
      const float count = samples_of_bin(samples.rows.axis, samples.columns.axis);
      for (const ChannelGroups& some : groups[static_cast<size_t>(level)])
        align({channel_of(map, rois.image(row), some.first), map.width, map.block,
               channel_of(features, row, some.first), features.block, some},
              samples, count);
    }
  }
}

}  // namespace tyto::kernels

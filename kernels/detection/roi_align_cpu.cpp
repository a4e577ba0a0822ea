#include "kernels/common/multiversion.h"
#include "kernels/detection/roi_align_samples_cpu.h"
#include "kernels/detection/roi_channels_cpu.h"
#include "kernels/detection/roi_levels_math.h"

namespace tyto::kernels {
namespace {

// Some channels of one region.
struct Work {
  const float* map;             // cell (0, 0)
  int64_t map_width, map_step;  // cells a row, floats a cell
  float* features;              // bin (0, 0)
  int64_t features_step;

  const float* cell(int row, int column) const { return map + (row * map_width + column) * map_step; }
};

template <int kLanes>
[[gnu::always_inline]] inline void align_bin(const Work& w, const AlignSamples& samples, size_t row,
                                             size_t column, float count, float* to) {
  const AxisTaps &rows = samples.rows, &columns = samples.columns;
  float sum[kLanes];
  for (int l = 0; l < kLanes; ++l) sum[l] = 0;
  for (size_t i = rows.begin[row]; i < rows.begin[row + 1]; ++i)
    for (size_t k = columns.begin[column]; k < columns.begin[column + 1]; ++k) {
      const AlignTap y = rows.taps[i], x = columns.taps[k];
      const float w1 = y.weight_low * x.weight_low, w2 = y.weight_low * x.weight_high,
                  w3 = y.weight_high * x.weight_low, w4 = y.weight_high * x.weight_high;
      const float *v1 = w.cell(y.low, x.low), *v2 = w.cell(y.low, x.high), *v3 = w.cell(y.high, x.low),
                  *v4 = w.cell(y.high, x.high);
      for (int l = 0; l < kLanes; ++l) sum[l] += w1 * v1[l] + w2 * v2[l] + w3 * v3[l] + w4 * v4[l];
    }
  for (int l = 0; l < kLanes; ++l) to[l] = sum[l] / count;
}

template <int kLanes>
[[gnu::always_inline]] inline void align_lanes(Work& w, const AlignSamples& samples, float count,
                                               int64_t& lanes) {
  const size_t height = samples.rows.begin.size() - 1, width = samples.columns.begin.size() - 1;
  for (; lanes >= kLanes; lanes -= kLanes) {
    float* to = w.features;
    for (size_t row = 0; row < height; ++row)
      for (size_t column = 0; column < width; ++column, to += w.features_step)
        align_bin<kLanes>(w, samples, row, column, count, to);
    w.map += kLanes;
    w.features += kLanes;
  }
}

TYTO_MULTIVERSION void align(Work w, const AlignSamples& samples, float count, int64_t lanes) {
  align_lanes<32>(w, samples, count, lanes);
  align_lanes<16>(w, samples, count, lanes);
  align_lanes<8>(w, samples, count, lanes);
  align_lanes<1>(w, samples, count, lanes);
}

}  // namespace

void roi_align_cpu(std::span<const ChannelBlocks<const float>> maps, const Rois& rois, const RoiAlign& params,
                   const ChannelBlocks<float>& features) {
  const RoiLevelBounds bounds = roi_level_bounds(params.levels);
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
      for_each_run(map, features, [&](int64_t channel, int64_t run) {
        align({channel_of(map, row / rois.capacity, channel), map.width, map.block,
               channel_of(features, row, channel), features.block},
              samples, count, run);
      });
    }
  }
}

}  // namespace tyto::kernels

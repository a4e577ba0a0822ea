#include "kernels/common/multiversion.h"
#include "kernels/detection/roi_align_samples_cpu.h"
#include "kernels/detection/roi_owners_cpu.h"

namespace tyto::kernels {
namespace {

// Some channels of one region.
struct Work {
  const float* gradient;  // bin (0, 0)
  int64_t gradient_step;
  float* map;  // cell (0, 0)
  int64_t map_width, map_step;

  float* cell(int row, int column) const { return map + (row * map_width + column) * map_step; }
};

template <int kLanes>
[[gnu::always_inline]] inline void spread_bin(const Work& w, const AlignSamples& samples, size_t row,
                                              size_t column, float count, const float* from) {
  const AxisTaps &rows = samples.rows, &columns = samples.columns;
  float share[kLanes];
  for (int l = 0; l < kLanes; ++l) share[l] = from[l] / count;
  const auto add = [&](float* cell, float weight) __attribute__((always_inline)) {
    for (int l = 0; l < kLanes; ++l) cell[l] += share[l] * weight;
  };
  for (size_t i = rows.begin[row]; i < rows.begin[row + 1]; ++i)
    for (size_t k = columns.begin[column]; k < columns.begin[column + 1]; ++k) {
      const AlignTap y = rows.taps[i], x = columns.taps[k];
      add(w.cell(y.low, x.low), y.weight_low * x.weight_low);
      add(w.cell(y.low, x.high), y.weight_low * x.weight_high);
      add(w.cell(y.high, x.low), y.weight_high * x.weight_low);
      add(w.cell(y.high, x.high), y.weight_high * x.weight_high);
    }
}

template <int kLanes>
[[gnu::always_inline]] inline void spread_lanes(Work& w, const AlignSamples& samples, float count,
                                                int64_t& lanes) {
  const size_t height = samples.rows.begin.size() - 1, width = samples.columns.begin.size() - 1;
  for (; lanes >= kLanes; lanes -= kLanes) {
    const float* from = w.gradient;
    for (size_t row = 0; row < height; ++row)
      for (size_t column = 0; column < width; ++column, from += w.gradient_step)
        spread_bin<kLanes>(w, samples, row, column, count, from);
    w.map += kLanes;
    w.gradient += kLanes;
  }
}

TYTO_MULTIVERSION void spread(Work w, const AlignSamples& samples, float count, int64_t lanes) {
  spread_lanes<16>(w, samples, count, lanes);
  spread_lanes<8>(w, samples, count, lanes);
  spread_lanes<1>(w, samples, count, lanes);
}

}  // namespace

void roi_align_backward_cpu(const ChannelBlocks<const float>& gradient, const Rois& rois,
                            const RoiAlign& params, std::span<const ChannelBlocks<float>> map_gradients) {
  const std::vector<RoiOwner> owners = roi_owners(map_gradients, gradient);
  const std::vector<int> levels = levels_of(rois, params.levels);
  std::vector<AlignSamples> samples(levels.size());
#pragma omp parallel
  {
#pragma omp for schedule(static)
    for (size_t row = 0; row < levels.size(); ++row) {
      if (levels[row] < 0) continue;
      const auto level = static_cast<size_t>(levels[row]);
      samples[row].set(rois.box(static_cast<int64_t>(row)), params, params.levels.scales[level],
                       map_gradients[level]);
    }
#pragma omp for schedule(dynamic)
    for (size_t i = 0; i < owners.size(); ++i) {
      const RoiOwner& owner = owners[i];
      const ChannelBlocks<float>& map = map_gradients[owner.level];
      const int64_t first_row = rois.first_row(owner.image);
      for (int64_t row = first_row; row < first_row + rois.capacity; ++row) {
        if (levels[static_cast<size_t>(row)] != static_cast<int>(owner.level) ||
            !rois.holds_of(row, owner.image))
          continue;
        const AlignSamples& s = samples[static_cast<size_t>(row)];
        spread({channel_of(gradient, row, owner.channel), gradient.block,
                channel_of(map, owner.image, owner.channel), map.width, map.block},
               s, samples_of_bin(s.rows.axis, s.columns.axis), owner.count);
      }
    }
  }
}

}  // namespace tyto::kernels

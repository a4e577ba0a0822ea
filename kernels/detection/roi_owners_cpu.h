// How the CPU gathers the gradient of maps: some channels of an image's map have one owner, who walks the
// regions in order.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/detection/roi_channels_cpu.h"
#include "kernels/detection/roi_levels_math.h"
#include "kernels/detection/rois.h"

namespace tyto::kernels {

// Channels that lie side by side, in the map of a level as in the features.
struct RoiOwner {
  size_t level;
  int64_t image, channel, count;
};

// Sets the maps to zero and returns those who share them; none has more than a cache line of channels.
template <class T>
std::vector<RoiOwner> roi_owners(std::span<const ChannelBlocks<float>> maps,
                                 const ChannelBlocks<T>& features) {
  constexpr int64_t kLine = 16;
  std::vector<RoiOwner> owners;
  for (size_t level = 0; level < maps.size(); ++level)
    for (int64_t image = 0; image < maps[level].n; ++image) {
      fill_image(maps[level], maps[level].data, image, 0.0f);
      for_each_run(maps[level], features, [&](int64_t first, int64_t count) {
        for (int64_t c = 0; c < count; c += kLine)
          owners.push_back({level, image, first + c, std::min(kLine, count - c)});
      });
    }
  return owners;
}

// The level of every row of `rois`, -1 of those that hold no region.
inline std::vector<int> levels_of(const Rois& rois, const RoiLevels& levels) {
  const RoiLevelBounds bounds = roi_level_bounds(levels);
  std::vector<int> all(static_cast<size_t>(rois.total()), -1);
  for (int64_t row = 0; row < rois.total(); ++row)
    if (rois.holds(row)) all[static_cast<size_t>(row)] = roi_level(rois.box(row), bounds);
  return all;
}

}  // namespace tyto::kernels

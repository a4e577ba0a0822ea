// A pyramid's maps as the kernels see them, and how their threads stand over regions: the threads of a group
// share a bin, a pack of channels each, and a block has some groups.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"
#include "kernels/detection/roi_levels_math.h"
#include "kernels/detection/rois.h"

namespace tyto::kernels {

inline constexpr int kRoiBlock = 256;

template <class T>
struct RoiMaps {
  T* data[kMaxRoiLevels];
  int height[kMaxRoiLevels], width[kMaxRoiLevels];
  float scale[kMaxRoiLevels];
  int channels;
  RoiLevelBounds bounds;

  __device__ T* image(int level, int64_t i) const {
    return data[level] + i * height[level] * width[level] * channels;
  }
};

template <class T>
RoiMaps<T> roi_maps(std::span<const Nhwc<T>> maps, const RoiLevels& levels) {
  RoiMaps<T> all = {};
  all.bounds = roi_level_bounds(levels);
  for (size_t k = 0; k < static_cast<size_t>(levels.count); ++k) {
    all.data[k] = maps[k].data;
    checked_int(maps[k].height * maps[k].width * maps[k].channels, "an image's map of a region kernel");
    all.height[k] = static_cast<int>(maps[k].height);
    all.width[k] = static_cast<int>(maps[k].width);
    all.scale[k] = levels.scales[k];
    all.channels = static_cast<int>(maps[k].channels);
  }
  return all;
}

// Of the maps and the features, whether rows of channels can be moved N at a time.
template <int N, class T>
bool roi_packable(const RoiMaps<const T>& maps, const T* features) {
  return std::all_of(maps.data, maps.data + maps.bounds.count,
                     [&](const T* data) { return packable<N>(maps.channels, data, features); });
}

// A group a bin of each row of `rois`.
inline LaunchConfig cover_bins(const Rois& rois, int bins, int64_t packs, Stream stream) {
  constexpr unsigned kWarp = 32;
  if (packs == 0) return {.grid = 0};
  unsigned lanes = 1;
  while (lanes < kWarp && lanes < packs) lanes *= 2;
  const int groups = kRoiBlock / static_cast<int>(lanes);
  const int64_t all = rois.total() * bins;
  checked_int(all + groups, "the bins of regions");
  return {
      .grid = blocks_for(all, groups), .block = dim3(lanes, static_cast<unsigned>(groups)), .stream = stream};
}

// The group's bin among all of `rois`; it may lie past the last.
__device__ inline int bin_of_group() { return static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y); }

}  // namespace tyto::kernels

// What a cell's runs are summed from on the CPU: both maps packed so that a run, which is vertical, lies in
// one piece of either.
#pragma once

#include <cstdint>

#include "kernels/bev/bev_index.h"

namespace tyto::kernels {

// C: float or double.
template <class C>
struct PackedMaps {
  const C* weights = nullptr;   // [cameras, width, bins, height]
  const C* features = nullptr;  // [cameras, width, height, channels]
  int64_t channels = 0;         // a multiple of kBevChannels; those behind the map's are 0
  int32_t bins = 0, height = 0, width = 0;
  double per_bin = 0, per_column = 0;  // 1 / bins, 1 / width
};

inline constexpr int64_t kBevChannels = 16;

// One level of instructions.
template <class C>
struct BevPoolLevel {
  const char* name;
  // to[channels] = factor * the sum over the runs' points of weight * feature.
  void (*sum)(const PackedMaps<C>&, const BevRun* runs, int64_t count, C factor, C* to);
  // to[channels] = the largest, or the first NaN; winners[channels]: the point that it is of.
  void (*largest)(const PackedMaps<C>&, const BevRun* runs, int64_t count, C* to, int32_t* winners);
};

// The levels that this CPU has, the best last; returns how many.
template <class C>
int bev_pool_levels(BevPoolLevel<C> (&levels)[3]);

}  // namespace tyto::kernels

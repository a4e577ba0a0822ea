// What a tile of cells takes from one column of a camera's pixels, on the CPU. Bins of the column that fall
// into the tile read the same features.
#pragma once

#include <cstdint>

#include "kernels/bev/bev_index.h"

namespace tyto::kernels {

struct BevTileRun {
  int32_t column;  // camera * width + the feature map's column
  int32_t bin;     // camera * bins + bin
  int32_t cell;    // of the tile
  uint16_t first_row, rows;
};

// C: float or double.
template <class C>
struct BevTileColumn {
  const C* weights = nullptr;   // [height, weight_stride]: of a pixel's bins
  const C* features = nullptr;  // [height, channels], aligned to 64 bytes
  int64_t weight_stride = 0;
  int64_t channels = 0;   // a multiple of kBevChannels
  int32_t first_bin = 0;  // camera * bins
  const BevTileRun* runs = nullptr;
  int64_t count = 0;  // of runs
};

inline constexpr int64_t kBevChannels = 16;

// One level of instructions.
template <class C>
struct BevPoolLevel {
  const char* name;
  // Of a pixel's bins, aligned to 64 bytes, in place. width: a multiple of kBevChannels; those behind the
  // last bin hold -infinity. A NaN, and nothing but -infinity, make all NaN. Null of double.
  void (*softmax)(C* bins, int64_t width);
  // Adds each run's weight * feature to its cell. cells: [cells, channels], aligned to 64 bytes.
  void (*sum)(const BevTileColumn<C>&, C* cells);
  // Takes the larger of them and what the cell has, or the first NaN, or of equal ones the first.
  // orders   [count]: of each run's first point among the sample's points; the run's others follow it
  // winners  [cells, channels]: the orders of those taken, -1 before any
  void (*largest)(const BevTileColumn<C>&, const int32_t* orders, C* cells, int32_t* winners);
};

// The levels that this CPU has, the best last; returns how many.
template <class C>
int bev_pool_levels(BevPoolLevel<C> (&levels)[3]);

}  // namespace tyto::kernels

// The bins of roi_pool.h along one axis, the same on CPU and CUDA.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/common/host_device.h"
#include "kernels/detection/roi_pool.h"

namespace tyto::kernels {

struct PoolAxis {
  int start;  // the region's first cell
  float bin;  // cells a bin
};

struct CellRange {
  int begin, end;
};

TYTO_HOST_DEVICE inline int nearest_cell(float at) {
  constexpr float kFarthest = 1 << 22;  // sums and products of such cells are exact, in int and in float
  return static_cast<int>(std::clamp(std::round(at), -kFarthest, kFarthest));
}

// low and high: the region's sides in pixels of the network's input, no NaN.
TYTO_HOST_DEVICE inline PoolAxis pool_axis(float low, float high, float scale, int bins) {
  const int start = nearest_cell(low * scale);
  const int size = std::max(nearest_cell(high * scale) - start + 1, 1);
  return {start, static_cast<float>(size) / static_cast<float>(bins)};
}

TYTO_HOST_DEVICE inline CellRange cells_of_bin(const PoolAxis& axis, int bin, int extent) {
  const int begin = static_cast<int>(std::floor(static_cast<float>(bin) * axis.bin));
  const int end = static_cast<int>(std::ceil(static_cast<float>(bin + 1) * axis.bin));
  return {std::clamp(axis.start + begin, 0, extent), std::clamp(axis.start + end, 0, extent)};
}

}  // namespace tyto::kernels

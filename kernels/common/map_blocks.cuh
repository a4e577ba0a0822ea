// How the threads of a kernel that looks at neighbouring pixels stand over an NHWC map: a block covers a
// patch of columns and rows of a few channels, so that its windows overlap in one SM's L1 cache.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/common/launch.h"
#include "kernels/common/nhwc.h"

namespace tyto::kernels {

inline constexpr int kMapBlock = 256;  // most threads of such a block

// A thread a pack of channels, a column, a row and an image of the map. Maps of more than 65535 images or of
// 65535 patches below one another are more than a grid can hold; the launch says so.
inline LaunchConfig cover_map(int64_t packs, int64_t columns, int64_t rows, int64_t n, Stream stream) {
  constexpr unsigned kLine = 8;      // packs of 16 bytes in a cache line
  constexpr unsigned kPatch = 64;    // threads of one row of the patch
  constexpr int64_t kMaxDepth = 64;  // of a block's z
  constexpr int64_t kSpread =
      256;  // blocks that keep a large GPU's SMs busy; a small map is cut finer for them
  if (packs == 0 || columns == 0 || rows == 0 || n == 0) return {.grid = 0};
  dim3 block(1, 1, 1);
  while (block.x < kLine && block.x < packs) block.x *= 2;
  while (block.x * block.y < kPatch && block.y < columns) block.y *= 2;
  while (block.x * block.y * block.z < kMapBlock && block.z < std::min(rows, kMaxDepth)) block.z *= 2;
  const auto tiles = [](int64_t size, unsigned tile) { return (size + tile - 1) / tile; };
  const auto blocks = [&] {
    return tiles(packs, block.x) * tiles(columns, block.y) * tiles(rows, block.z) * n;
  };
  while (blocks() < kSpread && block.z > 1) block.z /= 2;
  while (blocks() < kSpread && block.y > 1 && block.x * block.y > 32) block.y /= 2;
  const auto clamped = [](int64_t size) {
    return static_cast<unsigned>(std::min<int64_t>(size, UINT32_MAX));
  };
  return {.grid = dim3(blocks_for(tiles(packs, block.x) * tiles(columns, block.y), 1),
                       clamped(tiles(rows, block.z)), clamped(n)),
          .block = block,
          .stream = stream};
}

struct MapPosition {
  int pack, column, row, image;  // pack, column and row may lie past the map's end
};

// Where a thread of such a launch stands; `packs` as given to cover_map.
__device__ inline MapPosition position_on_map(int packs) {
  const int chunks = (packs + blockDim.x - 1) / blockDim.x;
  return {static_cast<int>(blockIdx.x % chunks * blockDim.x + threadIdx.x),
          static_cast<int>(blockIdx.x / chunks * blockDim.y + threadIdx.y),
          static_cast<int>(blockIdx.y * blockDim.z + threadIdx.z), static_cast<int>(blockIdx.z)};
}

// A map that becomes one of other height and width.
struct MapSizes {
  int height, width;          // of x
  int out_height, out_width;  // of y
  int channels;

  // The indices of a pixel's first channel.
  __device__ int in(int image, int row, int column) const {
    return ((image * height + row) * width + column) * channels;
  }
  __device__ int out(int image, int row, int column) const {
    return ((image * out_height + row) * out_width + column) * channels;
  }
};

// DeviceError names the kernel whose map has 2^31 elements or more.
template <class T>
MapSizes map_sizes(const Nhwc<const T>& x, const Nhwc<T>& y, const char* kernel) {
  checked_int(x.elements(), kernel);
  checked_int(y.elements(), kernel);
  return {static_cast<int>(x.height), static_cast<int>(x.width), static_cast<int>(y.height),
          static_cast<int>(y.width), static_cast<int>(x.channels)};
}

}  // namespace tyto::kernels

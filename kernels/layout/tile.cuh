// A tile of channels by pixels that is transposed in shared memory: rows of 33 words, so that a warp's 32
// accesses fall into 32 banks along either axis.
#pragma once

#include <cstdint>

#include "kernels/common/launch.h"

namespace tyto::kernels {

inline constexpr int kTile = 32;     // channels and pixels
inline constexpr int kTileRows = 8;  // of threads: a block is kTile x kTileRows
inline constexpr int kTileWords = kTile * (kTile + 1);

// A block for each tile of n matrices.
inline LaunchConfig cover_tiles(int64_t n, int64_t channels, int64_t area, Stream stream) {
  const auto tiles = [](int64_t size) { return (size + kTile - 1) / kTile; };
  return {.grid = blocks_for(n * tiles(channels) * tiles(area), 1),
          .block = dim3(kTile, kTileRows),
          .stream = stream};
}

struct TilePosition {
  int image, channel, pixel;  // where the block's tile begins
};

// Channels run fastest.
__device__ inline TilePosition position_of_tile(int channels, int area) {
  const int across = (channels + kTile - 1) / kTile, down = (area + kTile - 1) / kTile, tile = blockIdx.x;
  return {tile / across / down, tile % across * kTile, tile / across % down * kTile};
}

}  // namespace tyto::kernels

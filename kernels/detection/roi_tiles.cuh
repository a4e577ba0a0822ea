// How a block gathers the gradient of maps: it owns a tile of cells and some channels of an image's map,
// keeps their sums in shared memory and walks the image's regions in order, those that touch the tile. A
// thread owns a channel, so that no two add to one sum. The order of the sums is the CPU's, and so are the
// bits.
#pragma once

#include "kernels/detection/roi_maps.cuh"

namespace tyto::kernels {

inline constexpr int kTileSide = 8;       // cells
inline constexpr int kTileChannels = 64;  // of a block, a thread each; regions that it looks at together

// Where every level's blocks begin, a block an image, a tile and kTileChannels channels.
struct RoiTiles {
  int first_block[kMaxRoiLevels + 1];
  int chunks;  // of channels
};

struct RoiTile {
  int level, image;
  int top, left, bottom, right;  // cells of the map
  int channel;                   // the thread's, which may be past the last

  __device__ bool holds(int row, int column) const {
    return row >= top && row < bottom && column >= left && column < right;
  }
};

struct RoiBins {
  int top, left, bottom, right;
};

inline int64_t tiles_along(int64_t cells) { return (cells + kTileSide - 1) / kTileSide; }

// A launch of as many blocks as the tiles are.
inline LaunchConfig cover_tiles(const RoiMaps<float>& maps, int64_t n, RoiTiles& tiles, Stream stream) {
  tiles.chunks = (maps.channels + kTileChannels - 1) / kTileChannels;
  int64_t blocks = 0;
  for (int k = 0; k < maps.bounds.count; ++k) {
    tiles.first_block[k] = checked_int(blocks, "the tiles of maps");
    blocks += n * tiles_along(maps.height[k]) * tiles_along(maps.width[k]) * tiles.chunks;
  }
  return {.grid = blocks_for(blocks, 1), .block = kTileChannels, .stream = stream};
}

__device__ inline RoiTile tile_of_block(const RoiMaps<float>& maps, const RoiTiles& tiles) {
  RoiTile tile = {};
  int block = static_cast<int>(blockIdx.x);
  while (tile.level + 1 < maps.bounds.count && block >= tiles.first_block[tile.level + 1]) ++tile.level;
  block -= tiles.first_block[tile.level];
  const int height = maps.height[tile.level], width = maps.width[tile.level];
  const int columns = (width + kTileSide - 1) / kTileSide, rows = (height + kTileSide - 1) / kTileSide;
  tile.channel = block % tiles.chunks * kTileChannels + static_cast<int>(threadIdx.x);
  block /= tiles.chunks;
  tile.left = block % columns * kTileSide;
  block /= columns;
  tile.top = block % rows * kTileSide;
  tile.image = block / rows;
  tile.bottom = min(tile.top + kTileSide, height);
  tile.right = min(tile.left + kTileSide, width);
  return tile;
}

// touching(box) tells which of a region's bins touch the tile; add(row, bins, sums) adds a region's share to
// the sums, [kTileSide * kTileSide, kTileChannels] with the thread's channel first.
template <class Touching, class Add>
__device__ inline void gather_tile(const RoiMaps<float>& maps, const Rois& rois, const RoiTile& tile,
                                   const Touching& touching, const Add& add) {
  TYTO_SHARED_ARRAY(float, all_sums, kTileSide* kTileSide* kTileChannels);
  TYTO_SHARED_ARRAY(RoiBins, touched, kTileChannels);
  float* sums = all_sums + threadIdx.x;
  for (int i = 0; i < kTileSide * kTileSide; ++i) sums[i * kTileChannels] = 0;

  const int capacity = static_cast<int>(rois.capacity),
            first_row = static_cast<int>(rois.first_row(tile.image));
  for (int first = 0; first < capacity; first += kTileChannels) {
    const int mine = first + static_cast<int>(threadIdx.x);
    RoiBins bins = {0, 0, 0, 0};
    if (mine < capacity && rois.holds_of(first_row + mine, tile.image)) {
      const Box box = rois.box(first_row + mine);
      if (roi_level(box, maps.bounds) == tile.level) bins = touching(box);
    }
    __syncthreads();  // the regions before have been walked
    touched[threadIdx.x] = bins;
    __syncthreads();
    if (tile.channel >= maps.channels) continue;
    for (int i = 0; i < min(kTileChannels, capacity - first); ++i)
      if (touched[i].top < touched[i].bottom && touched[i].left < touched[i].right)
        add(first_row + first + i, touched[i], sums);
  }

  if (tile.channel >= maps.channels) return;
  float* map = maps.image(tile.level, tile.image) + tile.channel;
  for (int y = tile.top; y < tile.bottom; ++y)
    for (int x = tile.left; x < tile.right; ++x)
      map[(y * maps.width[tile.level] + x) * maps.channels] =
          sums[((y - tile.top) * kTileSide + x - tile.left) * kTileChannels];
}

// The first and the last + 1 of `bins` for which is_touched(bin); such lie side by side.
template <class F>
__device__ inline void touched_bins(int bins, const F& is_touched, int& begin, int& end) {
  begin = end = 0;
  for (int bin = 0; bin < bins; ++bin)
    if (is_touched(bin)) {
      if (end == 0) begin = bin;
      end = bin + 1;
    }
}

}  // namespace tyto::kernels

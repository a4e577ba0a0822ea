// The gradient of RoI max pooling, gathered (kernels/detection/roi_tiles.cuh).
//
// Cost for 300 regions on a map of 37 x 62 x 512: gradient and argmax, 60 MB, are read once for every tile
// that a bin touches, one and a half times; one addition a number. The map, 4.7 MB, is written once.
#include "kernels/detection/roi_pool.h"

#include "kernels/detection/roi_pool_math.h"
#include "kernels/detection/roi_tiles.cuh"

namespace tyto::kernels {
namespace {

__global__ void __launch_bounds__(kTileChannels)
    roi_pool_backward_kernel(const float* __restrict__ gradient, const int32_t* __restrict__ argmax,
                             Rois rois, int bins_high, int bins_wide, RoiMaps<float> maps, RoiTiles tiles) {
  const RoiTile tile = tile_of_block(maps, tiles);
  const int height = maps.height[tile.level], width = maps.width[tile.level];
  const auto touching = [&](const Box& box) {
    const float scale = maps.scale[tile.level];
    const PoolAxis rows = pool_axis(box.y1, box.y2, scale, bins_high),
                   columns = pool_axis(box.x1, box.x2, scale, bins_wide);
    RoiBins bins;
    touched_bins(
        bins_high,
        [&](int bin) {
          const CellRange cells = cells_of_bin(rows, bin, height);
          return cells.begin < tile.bottom && cells.end > tile.top;
        },
        bins.top, bins.bottom);
    touched_bins(
        bins_wide,
        [&](int bin) {
          const CellRange cells = cells_of_bin(columns, bin, width);
          return cells.begin < tile.right && cells.end > tile.left;
        },
        bins.left, bins.right);
    return bins;
  };
  gather_tile(maps, rois, tile, touching, [&](int row, const RoiBins& bins, float* sums) {
    for (int p = bins.top; p < bins.bottom; ++p)
      for (int q = bins.left; q < bins.right; ++q) {
        const int64_t at =
            (int64_t{row} * bins_high * bins_wide + p * bins_wide + q) * maps.channels + tile.channel;
        const int where = argmax[at];
        const float value = gradient[at];
        const int y = where / width, x = where - y * width;
        const bool is_mine = tile.holds(y, x);  // -1 is a cell of none
        // No branch around the addition, which could pull the read in: a warp's requests stay whole.
        const int cell = is_mine ? (y - tile.top) * kTileSide + x - tile.left : 0;
        sums[cell * kTileChannels] += is_mine ? value : 0.0f;
      }
  });
}

}  // namespace

void roi_pool_backward(const Nhwc<const float>& gradient, const int32_t* argmax, const Rois& rois,
                       const RoiPool& params, std::span<const Nhwc<float>> map_gradients, Stream stream) {
  const RoiMaps<float> maps = roi_maps(map_gradients, params.levels);
  RoiTiles tiles = {};
  checked_int(rois.total() + kTileChannels, "regions");
  launch<roi_pool_backward_kernel>(cover_tiles(maps, rois.n, tiles, stream), gradient.data, argmax, rois,
                                   params.height, params.width, maps, tiles);
}

}  // namespace tyto::kernels

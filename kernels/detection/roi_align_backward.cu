// The gradient of RoIAlign, gathered (kernels/detection/roi_tiles.cuh).
//
// Cost for 300 regions on a map of 37 x 62 x 512, four samples a bin: the gradient, 30 MB, is read once for
// every tile that a bin touches, one and a half times; sixteen products and additions to shared memory a
// number. The map, 4.7 MB, is written once.
#include "kernels/detection/roi_align.h"

#include "kernels/detection/roi_align_math.h"
#include "kernels/detection/roi_tiles.cuh"

namespace tyto::kernels {
namespace {

// Whether a sample of the bin is taken from cells of begin..end.
__device__ bool takes_from(const AlignAxis& axis, int bin, int extent, int begin, int end) {
  for (int sample = 0; sample < axis.samples; ++sample) {
    AlignTap tap;
    if (align_tap(axis, bin, sample, extent, tap) && tap.low < end && tap.high >= begin) return true;
  }
  return false;
}

__global__ void __launch_bounds__(kTileChannels)
    roi_align_backward_kernel(const float* __restrict__ gradient, Rois rois, RoiAlign params,
                              RoiMaps<float> maps, RoiTiles tiles) {
  const RoiTile tile = tile_of_block(maps, tiles);
  const int height = maps.height[tile.level], width = maps.width[tile.level];
  const float scale = maps.scale[tile.level];
  const auto axes = [&](const Box& box, AlignAxis& rows, AlignAxis& columns) {
    rows = align_axis(box.y1, box.y2, scale, params.height, params);
    columns = align_axis(box.x1, box.x2, scale, params.width, params);
  };
  const auto touching = [&](const Box& box) {
    AlignAxis rows, columns;
    axes(box, rows, columns);
    RoiBins bins;
    touched_bins(
        params.height, [&](int bin) { return takes_from(rows, bin, height, tile.top, tile.bottom); },
        bins.top, bins.bottom);
    touched_bins(
        params.width, [&](int bin) { return takes_from(columns, bin, width, tile.left, tile.right); },
        bins.left, bins.right);
    return bins;
  };
  gather_tile(maps, rois, tile, touching, [&](int row, const RoiBins& bins, float* sums) {
    AlignAxis rows, columns;
    axes(rois.box(row), rows, columns);
    const float count = samples_of_bin(rows, columns);
    for (int p = bins.top; p < bins.bottom; ++p)
      for (int q = bins.left; q < bins.right; ++q) {
        const int64_t bin = int64_t{row} * params.height * params.width + p * params.width + q;
        const float share = gradient[bin * maps.channels + tile.channel] / count;
        const auto add = [&](int y, int x, float weight) {
          if (tile.holds(y, x))
            sums[((y - tile.top) * kTileSide + x - tile.left) * kTileChannels] += share * weight;
        };
        for (int i = 0; i < rows.samples; ++i) {
          AlignTap y;
          if (!align_tap(rows, p, i, height, y) || y.low >= tile.bottom || y.high < tile.top) continue;
          for (int k = 0; k < columns.samples; ++k) {
            AlignTap x;
            if (!align_tap(columns, q, k, width, x)) continue;
            add(y.low, x.low, y.weight_low * x.weight_low);
            add(y.low, x.high, y.weight_low * x.weight_high);
            add(y.high, x.low, y.weight_high * x.weight_low);
            add(y.high, x.high, y.weight_high * x.weight_high);
          }
        }
      }
  });
}

}  // namespace

void roi_align_backward(const Nhwc<const float>& gradient, const Rois& rois, const RoiAlign& params,
                        std::span<const Nhwc<float>> map_gradients, Stream stream) {
  const RoiMaps<float> maps = roi_maps(map_gradients, params.levels);
  RoiTiles tiles = {};
  checked_int(rois.total() + kTileChannels, "regions");
  launch<roi_align_backward_kernel>(cover_tiles(maps, rois.n, tiles, stream), gradient.data, rois, params,
                                    maps, tiles);
}

}  // namespace tyto::kernels

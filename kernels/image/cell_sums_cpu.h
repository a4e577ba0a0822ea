// Weighted sums of a map's cells on the CPU.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/common/channel_blocks.h"
#include "kernels/common/computed.h"
#include "kernels/common/host_elements.h"
#include "kernels/image/grid_sample_math.h"

namespace tyto::kernels {

// The cells that make up a pixel of the result, in the order in which they are added.
template <class C, int kMost>
struct CellList {
  int64_t offset[kMost];  // elements
  C weight[kMost];
  int count = 0;

  // Those on the map, from `base` on. Each weight is multiplied by `by`.
  void add(const AxisCells<C>& rows, const AxisCells<C>& columns, int cells, int64_t width,
           int64_t pixel_stride, int64_t base, C by) {
    for (int i = 0; i < cells; ++i)
      for (int k = 0; k < cells; ++k) {
        if (!(rows.inside >> i & columns.inside >> k & 1)) continue;
        offset[count] = base + (rows.index[i] * width + columns.index[k]) * pixel_stride;
        weight[count++] = by * (rows.weight[i] * columns.weight[k]);
      }
  }
};

// A pixel of the result: the sum over its cells of weight * map[offset + channel], times `share`.
template <class T>
struct CellSum {
  const int64_t* offset;
  const Computed<T>* weight;
  int count;
  Computed<T> share;
};
// `count` pixels, each with so many channels side by side, one behind the other from `to` on.
void sum_cells(const double* map, const CellSum<double>*, int64_t count, int64_t channels, double* to);
void sum_cells(const float* map, const CellSum<float>*, int64_t count, int64_t channels, float* to);
void sum_cells(const Half* map, const CellSum<Half>*, int64_t count, int64_t channels, Half* to);
void sum_cells(const BFloat16* map, const CellSum<BFloat16>*, int64_t count, int64_t channels, BFloat16* to);

// Every pixel of y from the `cells` x `cells` cells of x that locate(image, row, column, rows, columns)
// finds; 0 where it returns false. x and y are blocked alike.
template <class T, class Locate>
void sample_blocks_cpu(const ChannelBlocks<const T>& x, int cells, const ChannelBlocks<T>& y,
                       const Locate& locate) {
  using C = Computed<T>;
  constexpr int64_t kAtOnce = 64;  // pixels of a row, so that cells are found once for all blocks
  const int64_t strips = (y.width + kAtOnce - 1) / kAtOnce, work = y.n * y.height * strips;
#pragma omp parallel for schedule(static)
  for (int64_t w = 0; w < work; ++w) {
    const int64_t begin = w % strips * kAtOnce, row = w / strips % y.height, image = w / strips / y.height;
    const int64_t pixels = std::min(kAtOnce, y.width - begin);
    CellList<C, 16> lists[kAtOnce];
    CellSum<T> sums[kAtOnce];
    for (int64_t p = 0; p < pixels; ++p) {
      AxisCells<C> rows, columns;
      if (locate(image, row, begin + p, rows, columns))
        lists[p].add(rows, columns, cells, x.width, x.block, 0, C(1));
      sums[p] = {lists[p].offset, lists[p].weight, lists[p].count, C(1)};
    }
    for (int64_t block = 0; block < y.blocks(); ++block)
      sum_cells(host_address(x.data, image * x.image_stride + block * x.block_stride), sums, pixels, y.block,
                host_address(y.data, image * y.image_stride + block * y.block_stride +
                                         (row * y.width + begin) * y.block));
  }
}

}  // namespace tyto::kernels

// Reading a channels-last map at cells and weights.
#pragma once

#include <type_traits>

#include "kernels/common/computed.cuh"
#include "kernels/image/grid_sample_math.h"

namespace tyto::kernels {

// Elements that a thread moves at once where alignment allows; doubles one by one.
template <class T>
inline constexpr int kSamplePack = 1;
template <>
inline constexpr int kSamplePack<float> = kPack<float>;
template <>
inline constexpr int kSamplePack<Half> = kPack<Half>;
template <>
inline constexpr int kSamplePack<BFloat16> = kPack<BFloat16>;

template <int N, class T>
__device__ inline void load_computed(const T* from, Computed<T> (&to)[N]) {
  if constexpr (std::is_same_v<T, double>)
    to[0] = from[0];
  else
    load<N>(from, to);
}
template <int N, class T>
__device__ inline void store_computed(const Computed<T> (&from)[N], T* to) {
  if constexpr (std::is_same_v<T, double>)
    to[0] = from[0];
  else
    store<N>(from, to);
}

// sum += by * what the map holds there; row by row, cell by cell. map: a channel of cell (0, 0). Cells are
// read before any is added, four of them at a time.
template <int kCells, int N, class T>
__device__ inline void add_cells(const T* map, int width, int pixel_stride,
                                 const AxisCells<Computed<T>>& rows, const AxisCells<Computed<T>>& columns,
                                 Computed<T> by, Computed<T> (&sum)[N]) {
  constexpr int kRowsAtOnce = kCells == 4 ? 1 : kCells;
#pragma unroll
  for (int first = 0; first < kCells; first += kRowsAtOnce) {
    Computed<T> v[kRowsAtOnce * kCells][N];
#pragma unroll
    for (int i = 0; i < kRowsAtOnce; ++i)
#pragma unroll
      for (int k = 0; k < kCells; ++k)
        load_computed<N>(map + (rows.index[first + i] * width + columns.index[k]) * pixel_stride,
                         v[i * kCells + k]);
#pragma unroll
    for (int i = 0; i < kRowsAtOnce; ++i)
#pragma unroll
      for (int k = 0; k < kCells; ++k) {
        if (!(rows.inside >> (first + i) & columns.inside >> k & 1)) continue;
        const Computed<T> weight = by * (rows.weight[first + i] * columns.weight[k]);
#pragma unroll
        for (int l = 0; l < N; ++l) sum[l] += weight * v[i * kCells + k][l];
      }
  }
}

// The same, where only the launch knows how many cells there are along each axis: 1, 2 or 4.
template <int N, class T>
__device__ inline void add_cells(const T* map, int width, int pixel_stride, int cells,
                                 const AxisCells<Computed<T>>& rows, const AxisCells<Computed<T>>& columns,
                                 Computed<T> (&sum)[N]) {
  const Computed<T> one = 1;
  if (cells == 1)
    add_cells<1, N>(map, width, pixel_stride, rows, columns, one, sum);
  else if (cells == 2)
    add_cells<2, N>(map, width, pixel_stride, rows, columns, one, sum);
  else
    add_cells<4, N>(map, width, pixel_stride, rows, columns, one, sum);
}

}  // namespace tyto::kernels

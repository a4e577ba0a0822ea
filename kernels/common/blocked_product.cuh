// A block's tile of a product of matrices, for kernels that fuse something with it: blocked_product.h on CUDA
// cores, in float and double.
//
// 128 threads own 64 x 64 sums, 8 x 4 each, which doubles leave registers for too: twelve reads of shared
// memory for 32 multiply-adds, two thirds of what an SM's FP32 units could do. Slices of 16 steps of the
// depth are staged, transposed where the depth lies dense; a pitch of 66 keeps those stores and all reads of
// floats in different banks.
#pragma once

#include <cstdint>

#include "kernels/common/cuda.h"

namespace tyto::kernels {

inline constexpr int kTileSide = 64, kTileDepth = 16, kTilePitch = 66;
inline constexpr int kTileThreads = 128, kTileThreadRows = 8, kTileThreadColumns = 16;
inline constexpr int kTileRows = kTileSide / kTileThreadRows;  // of a thread
inline constexpr int kTileColumns = kTileSide / kTileThreadColumns;
inline constexpr int kTileStage = kTileDepth * kTilePitch;  // elements of shared memory for each factor

// Element (i, k) at values[i * row + k * depth]; either stride is 1.
template <class C>
struct TileFactor {
  const C* values;
  int64_t rows;
  int64_t row, depth;
};

struct MultiplyAdd {
  template <class C>
  __device__ void operator()(C& sum, C a, C b) const {
    sum += a * b;
  }
};

// What the elements of one thread are: sums[r][c] of row tile_row(r), column tile_column(c).
__device__ inline int tile_row(int r) {
  return static_cast<int>(threadIdx.x) / kTileThreadColumns + r * kTileThreadRows;
}
__device__ inline int tile_column(int c) {
  return static_cast<int>(threadIdx.x) % kTileThreadColumns + c * kTileThreadColumns;
}

namespace detail {

// Rows first .. first + 63, steps k .. k + 15 of the depth; zeros beyond either end.
template <class C>
__device__ inline void stage_factor(const TileFactor<C>& from, int64_t first, int64_t k, int64_t end,
                                    C* stage) {
  const int t = static_cast<int>(threadIdx.x);
  const bool dense_depth = from.depth == 1;
#pragma unroll 4
  for (int step = 0; step < kTileSide * kTileDepth / kTileThreads; ++step) {
    const int at = t + step * kTileThreads;
    const int d = dense_depth ? at % kTileDepth : at / kTileSide;
    const int i = dense_depth ? at / kTileDepth : at % kTileSide;
    const bool inside = first + i < from.rows && k + d < end;
    stage[d * kTilePitch + i] = inside ? from.values[(first + i) * from.row + (k + d) * from.depth] : C{0};
  }
}

}  // namespace detail

// sums[r][c] += combine over k in [begin, end) of a(first_a + row, k) and b(first_b + column, k), in the
// order of k. Where rows or steps end, both factors are 0. stages: shared, 2 * kTileStage elements, free
// again for whoever passes the next barrier.
template <class Combine, class C>
__device__ void blocked_tile(const TileFactor<C>& a, int64_t first_a, const TileFactor<C>& b, int64_t first_b,
                             int64_t begin, int64_t end, C* stages, C (&sums)[kTileRows][kTileColumns]) {
  for (int64_t k = begin; k < end; k += kTileDepth) {
    __syncthreads();
    detail::stage_factor(a, first_a, k, end, stages);
    detail::stage_factor(b, first_b, k, end, stages + kTileStage);
    __syncthreads();
#pragma unroll 4
    for (int d = 0; d < kTileDepth; ++d) {
      C of_a[kTileRows], of_b[kTileColumns];
#pragma unroll
      for (int r = 0; r < kTileRows; ++r) of_a[r] = stages[d * kTilePitch + tile_row(r)];
#pragma unroll
      for (int c = 0; c < kTileColumns; ++c) of_b[c] = stages[kTileStage + d * kTilePitch + tile_column(c)];
#pragma unroll
      for (int r = 0; r < kTileRows; ++r)
#pragma unroll
        for (int c = 0; c < kTileColumns; ++c) Combine{}(sums[r][c], of_a[r], of_b[c]);
    }
  }
}

}  // namespace tyto::kernels

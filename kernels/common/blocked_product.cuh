// A block's tile of a product of matrices, for kernels that fuse something with it: blocked_product.h on CUDA
// cores, in float and double.
//
// 128 threads own 64 x 64 sums, 8 x 4 each, which doubles leave registers for too. Slices of 16 steps of the
// depth are staged, transposed where the depth lies dense. For the 32 multiply-adds of a step a thread reads
// its twelve floats by three instructions; the banks are busy for four of their turns where equal addresses
// of a warp are served together, for twelve where they are not. While a slice is multiplied, the next is on
// its way to registers: a GPU that has one block for each SM does not wait for memory at every slice.
#pragma once

#include <cstdint>

#include "kernels/common/cuda.h"
#include "kernels/common/elements.cuh"
#include "kernels/common/reduce.cuh"

namespace tyto::kernels {

inline constexpr int kTileSide = 64, kTileDepth = 16;
inline constexpr int kTileThreads = 128, kTileThreadRows = 8, kTileThreadColumns = 16;
inline constexpr int kTileRows = kTileSide / kTileThreadRows;  // of a thread
inline constexpr int kTileColumns = kTileSide / kTileThreadColumns;

// A row of shared memory is 16 bytes longer than a tile's: reads of 16 bytes down a column, and the stores of
// a warp that stages 8 steps of 4 rows, meet different banks.
template <class C>
inline constexpr int kTilePitch = kTileSide + kPack<C>;
// Of shared memory, aligned to 16 bytes: a slice of both factors, or half a tile.
template <class C>
inline constexpr int kTileStages = 2 * kTileDepth* kTilePitch<C>;

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

namespace detail {

// What the elements of one thread are: sums[r][c] of row tile_row(r), column tile_column(c); 16 bytes of
// either stand together. The first four rows lie in the tile's upper half.
template <class C>
__device__ inline int tile_row(int r) {
  constexpr int kTogether = kPack<C>;
  const int thread = static_cast<int>(threadIdx.x) / kTileThreadColumns;
  return r / kTogether * (kTileThreadRows * kTogether) + thread * kTogether + r % kTogether;
}
template <class C>
__device__ inline int tile_column(int c) {
  constexpr int kTogether = kPack<C>;
  const int thread = static_cast<int>(threadIdx.x) % kTileThreadColumns;
  return c / kTogether * (kTileThreadColumns * kTogether) + thread * kTogether + c % kTogether;
}

// 16 bytes of shared memory at once.
template <class C>
__device__ inline void read_pack(const C* from, C* to) {
  Pack<C, kPack<C>> pack;
  copy_pack(*reinterpret_cast<const Pack<C, kPack<C>>*>(from), pack);
#pragma unroll
  for (int i = 0; i < kPack<C>; ++i) to[i] = pack.values[i];
}
template <class C>
__device__ inline void write_pack(const C* from, C* to) {
  Pack<C, kPack<C>> pack;
#pragma unroll
  for (int i = 0; i < kPack<C>; ++i) pack.values[i] = from[i];
  copy_pack(pack, *reinterpret_cast<Pack<C, kPack<C>>*>(to));
}

// One factor's slices on their way from memory through registers to shared memory: rows first .. first + 63,
// steps k .. k + 15 of the depth; zeros beyond either end. A warp loads 8 steps of 4 rows, which are whole
// sectors, where the depth lies dense, else 32 rows of one step. Of a thread's loads every second is an inner
// step away from the one before, which saves the registers of their addresses.
template <class C>
class StagedFactor {
 public:
  __device__ StagedFactor(const TileFactor<C>& from, int64_t first, int64_t begin)
      : values_(from.values), slice_(kTileDepth * from.depth) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
    const bool dense_depth = from.depth == 1;
    const Place inner = dense_depth ? Place{0, 8} : Place{kWarp, 0};
    const Place outer = dense_depth ? Place{16, 0} : Place{0, 4};
    begin_ = dense_depth ? Place{lane / 8 + 4 * warp, lane % 8} : Place{lane, warp};
    inner_ = inner;
    outer_ = outer;
    at_ = (first + begin_.row) * from.row + (begin + begin_.step) * from.depth;
    inner_stride_ = inner.row * from.row + inner.step * from.depth;
    outer_stride_ = outer.row * from.row + outer.step * from.depth;
    rows_ = static_cast<int>(from.rows - first < kTileSide ? from.rows - first : kTileSide);
  }

  // The next slice, of which `left` steps are wanted.
  __device__ void fetch(int64_t left) {
    int64_t at = at_;
#pragma unroll
    for (int s = 0; s < kLoads; ++s) {
      next_[s] = row(s) < rows_ && step(s) < left ? values_[at] : C{0};
      at += s % 2 == 0 ? inner_stride_ : outer_stride_ - inner_stride_;
    }
    at_ += slice_;
  }
  __device__ void put(C* stage) const {
#pragma unroll
    for (int s = 0; s < kLoads; ++s) stage[step(s) * kTilePitch<C> + row(s)] = next_[s];
  }

 private:
  static constexpr int kLoads = kTileSide * kTileDepth / kTileThreads;
  struct Place {
    int row, step;
  };

  __device__ int row(int s) const { return begin_.row + s % 2 * inner_.row + s / 2 * outer_.row; }
  __device__ int step(int s) const { return begin_.step + s % 2 * inner_.step + s / 2 * outer_.step; }

  const C* values_;
  int64_t slice_, at_, inner_stride_, outer_stride_;
  Place begin_, inner_, outer_;
  int rows_;
  C next_[kLoads];
};

}  // namespace detail

// A thread's part of a tile.
template <class C>
using TileSums = C[kTileRows][kTileColumns];

// sums += combine over k in [begin, end) of a(first_a + row, k) and b(first_b + column, k), in the order of
// k. Where rows or steps end, both factors are 0. stages: shared, kTileStages elements, free again for
// whoever passes the next barrier.
template <class Combine, class C>
__device__ void blocked_tile(const TileFactor<C>& a, int64_t first_a, const TileFactor<C>& b, int64_t first_b,
                             int64_t begin, int64_t end, C* stages, TileSums<C>& sums) {
  detail::StagedFactor<C> next_a(a, first_a, begin), next_b(b, first_b, begin);
  C* const stage_a = stages;
  C* const stage_b = stages + kTileDepth * kTilePitch<C>;
  next_a.fetch(end - begin);
  next_b.fetch(end - begin);
  for (int64_t left = end - begin; left > 0; left -= kTileDepth) {
    __syncthreads();
    next_a.put(stage_a);
    next_b.put(stage_b);
    __syncthreads();
    if (left > kTileDepth) {
      next_a.fetch(left - kTileDepth);
      next_b.fetch(left - kTileDepth);
    }
#pragma unroll 2
    for (int d = 0; d < kTileDepth; ++d) {
      C of_a[kTileRows], of_b[kTileColumns];
#pragma unroll
      for (int r = 0; r < kTileRows; r += kPack<C>)
        detail::read_pack(stage_a + d * kTilePitch<C> + detail::tile_row<C>(r), of_a + r);
#pragma unroll
      for (int c = 0; c < kTileColumns; c += kPack<C>)
        detail::read_pack(stage_b + d * kTilePitch<C> + detail::tile_column<C>(c), of_b + c);
#pragma unroll
      for (int r = 0; r < kTileRows; ++r)
#pragma unroll
        for (int c = 0; c < kTileColumns; ++c) Combine{}(sums[r][c], of_a[r], of_b[c]);
    }
  }
}

// The finished tile by way of shared memory, so that a warp has neighbours: of_row(i, j, sum), whose lanes
// have columns j side by side, and, where `across`, of_column(i, j, sum), whose lanes have rows i side by
// side. stages as blocked_tile's.
template <class C, class OfRow, class OfColumn>
__device__ void give_tile(const TileSums<C>& sums, C* stages, bool across, const OfRow& of_row,
                          const OfColumn& of_column) {
  constexpr int kHalf = kTileSide / 2, kHalfRows = kTileRows / 2;
  const int t = static_cast<int>(threadIdx.x);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    __syncthreads();
#pragma unroll
    for (int r = half * kHalfRows; r < (half + 1) * kHalfRows; ++r)
#pragma unroll
      for (int c = 0; c < kTileColumns; c += kPack<C>)
        detail::write_pack(&sums[r][c], stages + (detail::tile_row<C>(r) - half * kHalf) * kTilePitch<C> +
                                            detail::tile_column<C>(c));
    __syncthreads();
#pragma unroll 4
    for (int at = t; at < kHalf * kTileSide; at += kTileThreads)
      of_row(half * kHalf + at / kTileSide, at % kTileSide,
             stages[at / kTileSide * kTilePitch<C> + at % kTileSide]);
    if (!across) continue;
#pragma unroll 1
    for (int at = t; at < kHalf * kTileSide / kPack<C>; at += kTileThreads) {
      const int i = at % kHalf, j = at / kHalf * kPack<C>;
      C together[kPack<C>];
      detail::read_pack(stages + i * kTilePitch<C> + j, together);
#pragma unroll
      for (int l = 0; l < kPack<C>; ++l) of_column(half * kHalf + i, j + l, together[l]);
    }
  }
}

}  // namespace tyto::kernels

// Tiles of 64 rows of tokens in shared memory, and products of two of them by 128 threads: float on CUDA
// cores, Half and BFloat16 on tensor cores, sums in float.
//
// A tile's row is 128 bytes: 32 floats, 64 halves. Its eight 16-byte segments stand in an order of the row's
// own, segment s of row r at s ^ (r % 8): eight rows at one segment, which is how ldmatrix and the register
// tiles read, meet no bank twice, and neither does a row as a whole, which is how it is written.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/common/async_copy.cuh"
#include "kernels/common/elements.cuh"
#include "kernels/common/reduce.cuh"
#include "kernels/common/tensor_core.cuh"

namespace tyto::kernels {

inline constexpr int kTileRows = 64;
inline constexpr int kTileThreads = 128;
template <class T>
inline constexpr int kTileColumns = 128 / static_cast<int>(sizeof(T));
template <class T>
inline constexpr int kTileSize = kTileRows* kTileColumns<T>;
// Two tiles, which one step of a walk is over.
template <class T>
inline constexpr int kStepSize = 2 * kTileSize<T>;

// Where an element stands in a tile; unsigned, for compilers to see what rows of a thread have in common.
template <class T>
__device__ __forceinline__ unsigned tile_index(unsigned row, unsigned column) {
  constexpr unsigned kElements = kPack<T>;
  return row * kTileColumns<T> + (column / kElements ^ row % 8) * kElements + column % kElements;
}

// Rows of one head of one item of the batch.
template <class T>
struct TokenRows {
  T* data;
  int64_t stride;
  int rows, columns;

  __device__ bool packed() const {
    return (reinterpret_cast<uintptr_t>(data) | static_cast<uintptr_t>(stride) * sizeof(T)) % 16 == 0;
  }
};

// Copies begin; they have landed after wait_async() and a barrier. Beyond the last row and column are zeros,
// as far as products read: to a multiple of 16 columns.
template <class T>
__device__ __forceinline__ void load_tile(const TokenRows<const T>& from, int row, int column, T* tile) {
  constexpr int kSegments = kTileColumns<T> / kPack<T>;
  const int c = threadIdx.x % kSegments * kPack<T>;
  const int columns = from.columns - column - c;  // to be had from here on
  if (columns <= -(c % 16)) return;
  const auto valid = [&](int r) { return row + r < from.rows ? max(0, min(columns, kPack<T>)) : 0; };
  const auto source = [&](int r) { return from.data + (row + r) * from.stride + column + c; };
  constexpr int kRows = kTileThreads / kSegments;  // at once
  if (from.packed()) {
#pragma unroll
    for (int r = threadIdx.x / kSegments; r < kTileRows; r += kRows) {
      const int here = valid(r);
      copy_async<16>(tile + tile_index<T>(r, c), here > 0 ? source(r) : from.data,
                     here * static_cast<int>(sizeof(T)));
    }
  } else {
#pragma unroll 1
    for (int r = threadIdx.x / kSegments; r < kTileRows; r += kRows) {
      const int here = valid(r);
      Pack<T, kPack<T>> pack;
#pragma unroll
      for (int j = 0; j < kPack<T>; ++j) pack.values[j] = j < here ? source(r)[j] : from_float<T>(0);
      copy_pack(pack, *reinterpret_cast<decltype(pack)*>(tile + tile_index<T>(r, c)));
    }
  }
}

// The other way, of what lies inside.
template <class T>
__device__ __forceinline__ void store_tile(const T* tile, const TokenRows<T>& to, int row, int column) {
  constexpr int kSegments = kTileColumns<T> / kPack<T>;
  const int c = threadIdx.x % kSegments * kPack<T>;
  const int columns = to.columns - column - c;
  if (columns <= 0) return;
  const bool packed = columns >= kPack<T> && to.packed();
#pragma unroll
  for (int i = 0; i < kTileRows; i += kTileThreads / kSegments) {
    const int r = i + threadIdx.x / kSegments;
    if (row + r >= to.rows) return;
    Pack<T, kPack<T>> pack;
    copy_pack(*reinterpret_cast<const decltype(pack)*>(tile + tile_index<T>(r, c)), pack);
    T* at = to.data + (row + r) * to.stride + column + c;
    if (packed) {
      copy_pack(pack, *reinterpret_cast<decltype(pack)*>(at));
    } else {
#pragma unroll
      for (int j = 0; j < kPack<T>; ++j)
        if (j < columns) at[j] = pack.values[j];
    }
  }
}

// A thread's 32 of 64 x 64 results. Of halves a warp has 16 rows, and [n][c] is c of the tensor core's tile
// n; of floats a thread has [i][j] of eight rows and four columns.
using TileResults = float[8][4];

template <class T>
inline constexpr bool kOnTensorCores = sizeof(T) == 2;
// What a map of 64 x 64 takes in shared memory on its way to a product: of halves nothing.
template <class T>
inline constexpr int kStagedMapSize = kOnTensorCores<T> ? 0 : kTileRows* kTileRows;

template <class T>
__device__ __forceinline__ unsigned result_row(int i, int j) {
  const unsigned warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  if constexpr (kOnTensorCores<T>) return 16 * warp + lane / 4 + j / 2 * 8;
  return 8 * i + warp + lane / 16 * 4;
}
template <class T>
__device__ __forceinline__ unsigned result_column(int i, int j) {
  const unsigned lane = threadIdx.x % kWarp;
  if constexpr (kOnTensorCores<T>) return 8 * i + lane % 4 * 2 + j % 2;
  return lane % 16 + 16 * j;
}
// Of a thread's rows, which one.
template <class T>
inline constexpr int kRowsOfThread = kOnTensorCores<T> ? 2 : 8;
template <class T>
__device__ __forceinline__ constexpr int row_of_thread(int i, int j) {
  return kOnTensorCores<T> ? j / 2 : i;
}
// Sums over the lanes that have columns of one row.
template <class T>
__device__ __forceinline__ float sum_over_columns(float v) {
#pragma unroll
  for (int distance = kOnTensorCores<T> ? 2 : 8; distance > 0; distance /= 2)
    v += __shfl_xor_sync(kFullWarp, v, distance);
  return v;
}

// results += a b^T, of the first `columns` columns of both.
template <class T>
__device__ __forceinline__ void multiply_rows(const T* a, const T* b, int columns, TileResults& results) {
  if constexpr (kOnTensorCores<T>) {
    const unsigned warp = threadIdx.x / kWarp, row = threadIdx.x % 8, tile = threadIdx.x % kWarp / 8;
#pragma unroll 1
    for (int k = 0; k < columns; k += 16) {
      unsigned of_a[4];
      load_tiles(of_a, a + tile_index<T>(16 * warp + tile % 2 * 8 + row, k + tile / 2 * 8));
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        unsigned of_b[4];
        load_tiles(of_b, b + tile_index<T>(16 * n + tile / 2 * 8 + row, k + tile % 2 * 8));
        multiply_16x8x16<T>(results[2 * n], of_a, {of_b[0], of_b[1]});
        multiply_16x8x16<T>(results[2 * n + 1], of_a, {of_b[2], of_b[3]});
      }
    }
  } else {
#pragma unroll 1
    for (int k = 0; k < columns; k += 4) {
      float of_b[4][4];
#pragma unroll
      for (int j = 0; j < 4; ++j) load<4>(b + tile_index<T>(result_column<T>(0, j), k), of_b[j]);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        float of_a[4];
        load<4>(a + tile_index<T>(result_row<T>(i, 0), k), of_a);
#pragma unroll
        for (int j = 0; j < 4; ++j)
#pragma unroll
          for (int c = 0; c < 4; ++c) results[i][j] += of_a[c] * of_b[j][c];
      }
    }
  }
}

template <class T>
__device__ __forceinline__ unsigned two_elements(float first, float second) {
  unsigned both;
  if constexpr (std::is_same_v<T, Half>) {
    const __half2 two = __floats2half2_rn(first, second);
    memcpy(&both, &two, sizeof(both));
  } else {
    const __nv_bfloat162 two = __floats2bfloat162_rn(first, second);
    memcpy(&both, &two, sizeof(both));
  }
  return both;
}

// Columns of a product with a map: two tiles' side by side. A thread's results: of halves [tile] as above; of
// floats [i][j] of [0] is column lane % 16 * 4 + j.
template <class T>
inline constexpr int kSliceColumns = 2 * kTileColumns<T>;
template <class T>
inline constexpr int kSliceResults = kOnTensorCores<T> ? 2 : 1;

// sums += map b, of the first `columns` columns of b, where map is the 64 x 64 results of the threads,
// rounded to T, and b is [64, columns], of two tiles.
// staged  of float alone: two tiles, of which a warp touches its own rows
template <class T>
__device__ __forceinline__ void multiply_map(const TileResults& map, const T* b, int columns, float* staged,
                                             TileResults (&sums)[kSliceResults<T>]) {
  if constexpr (kOnTensorCores<T>) {
    const unsigned row = threadIdx.x % 8, tile = threadIdx.x % kWarp / 8;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const unsigned of_map[4] = {two_elements<T>(map[2 * k][0], map[2 * k][1]),
                                  two_elements<T>(map[2 * k][2], map[2 * k][3]),
                                  two_elements<T>(map[2 * k + 1][0], map[2 * k + 1][1]),
                                  two_elements<T>(map[2 * k + 1][2], map[2 * k + 1][3])};
#pragma unroll
      for (int n = 0; n < 8; ++n) {
        if (16 * n >= columns) break;
        unsigned of_b[4];
        load_tiles<true>(of_b, b + n / 4 * kTileSize<T> +
                                   tile_index<T>(16 * k + tile % 2 * 8 + row, n % 4 * 16 + tile / 2 * 8));
        multiply_16x8x16<T>(sums[n / 4][n % 4 * 2], of_map, {of_b[0], of_b[1]});
        multiply_16x8x16<T>(sums[n / 4][n % 4 * 2 + 1], of_map, {of_b[2], of_b[3]});
      }
    }
  } else {
    const auto at = [](unsigned row, unsigned column) {
      return column / kTileColumns<float> * kTileSize<float> +
             tile_index<float>(row, column % kTileColumns<float>);
    };
    __syncwarp();  // what was staged before is read
#pragma unroll
    for (int i = 0; i < 8; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j) staged[at(result_row<T>(i, j), result_column<T>(i, j))] = map[i][j];
    __syncwarp();
    const unsigned column = threadIdx.x % 16 * 4;
    if (static_cast<int>(column) >= columns) return;
#pragma unroll 1
    for (int k = 0; k < kTileRows; k += 4) {
      float of_b[4][4];
#pragma unroll
      for (int c = 0; c < 4; ++c) load<4>(b + at(k + c, column), of_b[c]);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        float of_map[4];
        load<4>(staged + at(result_row<T>(i, 0), k), of_map);
#pragma unroll
        for (int j = 0; j < 4; ++j)
#pragma unroll
          for (int c = 0; c < 4; ++c) sums[0][i][j] += of_map[c] * of_b[c][j];
      }
    }
  }
}

// The sums times `factor`, rounded to T, in two tiles.
template <class T>
__device__ __forceinline__ void stage_sums(const TileResults (&sums)[kSliceResults<T>], float factor,
                                           T* tiles) {
  if constexpr (kOnTensorCores<T>) {
#pragma unroll
    for (int tile = 0; tile < 2; ++tile)
#pragma unroll
      for (int n = 0; n < 8; ++n)
#pragma unroll
        for (int c = 0; c < 4; c += 2) {
          const float two[] = {factor * sums[tile][n][c], factor * sums[tile][n][c + 1]};
          store<2>(two,
                   tiles + tile * kTileSize<T> + tile_index<T>(result_row<T>(n, c), result_column<T>(n, c)));
        }
  } else {
    const unsigned column = threadIdx.x % 16 * 4;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      float four[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) four[j] = factor * sums[0][i][j];
      store<4>(four, tiles + column / kTileColumns<T> * kTileSize<T> +
                         tile_index<T>(result_row<T>(i, 0), column % kTileColumns<T>));
    }
  }
}

}  // namespace tyto::kernels

// Attention, forward: y = softmax(scale * q k^T + bias) v, and for position attention y = gamma * that + x.
//
// A team of four warps owns 64 queries of one head, and up to 256 columns of the values (128 of floats). It
// walks the keys of all sets in tiles of 64, keeping a running maximum and sum of each query (online
// softmax), so that the map lives only as a 64 x 64 tile in registers; that tile is the left factor of the
// product with the values as it stands there. Products of halves run on tensor cores with sums in float,
// probabilities rounded to T; float runs on CUDA cores (attention_tiles.cuh). Queries stay in shared memory;
// keys and values come by asynchronous copies, one step ahead: a step is a product over 128 bytes of a key's
// row, or with 128 columns (64 of floats) of values.
//
// Cost for N queries and keys, depth d and width w <= 256: N^2 (d + w) multiply-adds and N^2 exponentials;
// each further block of columns makes the map once more. Position attention with N = 2592, d = 32, w =
// 256: 1.9 G multiply-adds and 6.7 M exponentials an image; 4.3 MB of halves moved at least.
//
// A team's 64 x 256 sums are 128 registers a thread. Of halves two teams share a block and its keys and
// values, where there are so many queries: keys and values come from L2 once a block, 2 bytes for as many
// products as it has queries, and 64 of them would ask an H100's L2 for twice what it gives beside its tensor
// cores.
//
// Occupancy in that case: halves 255 registers a thread and 48 KB of shared memory, a block of eight warps a
// multiprocessor (12 % of an A100's warps); floats 230 and 56 KB, two blocks of four warps (one on an RTX
// 4090). No spills on sm_80 to sm_90. A warp reads all keys and values for its 16 queries, 512 bytes for 4096
// products: with the copies, shared memory is busy for 1.15 times as long as an A100's tensor cores, 1.4
// times as long as an H100's.
#include "kernels/attention/attention.h"

#include <algorithm>

#include "kernels/attention/attention_forward.cuh"
#include "kernels/attention/attention_rows.cuh"
#include "kernels/common/fast_exponential.cuh"
#include "kernels/common/launch.h"

namespace tyto::kernels {
namespace {

template <class T>
struct ForwardOf {
  AttentionOf<T> of;
  const float* gamma;
  Tokens<const T> x;
  Tokens<T> y;
  RowStatistics rows;
};

// Over the lanes that have columns of one row.
template <class T>
__device__ __forceinline__ float largest_of_columns(float v) {
#pragma unroll
  for (int distance = kOnTensorCores<T> ? 2 : 8; distance > 0; distance /= 2)
    v = fmaxf(v, __shfl_xor_sync(kFullWarp, v, distance));
  return v;
}

// A thread's rows: what softmax has seen of them so far.
template <class T>
struct RunningRows {
  float maximum[kRowsOfThread<T>], sum[kRowsOfThread<T>];
};

// Scores become e^(score - maximum); by `rescale` what was summed before is to be multiplied.
// added  null: nothing is
template <class T>
__device__ __forceinline__ void continue_softmax(float scale, const T* added, int keys, TileResults& map,
                                                 RunningRows<T>& rows, float (&rescale)[kRowsOfThread<T>]) {
  float largest[kRowsOfThread<T>], sum[kRowsOfThread<T>] = {};
#pragma unroll
  for (int r = 0; r < kRowsOfThread<T>; ++r) largest[r] = -INFINITY;
#pragma unroll
  for (int i = 0; i < 8; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      float score = map[i][j] * scale;
      if (added) {
        const float more = as_float(added[added_index<T>(result_row<T>(i, j), result_column<T>(i, j))]);
        score = more == -INFINITY ? more : score + more;
      }
      map[i][j] = score;
    }
  if (keys < kTileRows) {
#pragma unroll
    for (int i = 0; i < 8; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j)
        if (static_cast<int>(result_column<T>(i, j)) >= keys) map[i][j] = -INFINITY;
  }
#pragma unroll
  for (int i = 0; i < 8; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      float& of_row = largest[row_of_thread<T>(i, j)];
      of_row = fmaxf(of_row, map[i][j]);
    }
#pragma unroll
  for (int r = 0; r < kRowsOfThread<T>; ++r) {
    const float maximum = fmaxf(rows.maximum[r], largest_of_columns<T>(largest[r]));
    // Without a key -infinity is subtracted from nothing, lest it make a NaN.
    largest[r] = maximum == -INFINITY ? 0 : maximum;
    rescale[r] = fast_exponential(rows.maximum[r] - largest[r]);
    rows.maximum[r] = maximum;
  }
#pragma unroll
  for (int i = 0; i < 8; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int r = row_of_thread<T>(i, j);
      map[i][j] = fast_exponential(map[i][j] - largest[r]);
      sum[r] += map[i][j];
    }
#pragma unroll
  for (int r = 0; r < kRowsOfThread<T>; ++r) rows.sum[r] = rows.sum[r] * rescale[r] + sum[r];
}

template <class T, int kSlices>
using Sums = TileResults[kSlices][kSliceResults<T>];

template <class T, int kSlices>
__device__ __forceinline__ void multiply_rows_of(Sums<T, kSlices>& sums,
                                                 const float (&by)[kRowsOfThread<T>]) {
#pragma unroll
  for (int slice = 0; slice < kSlices; ++slice)
#pragma unroll
    for (int t = 0; t < kSliceResults<T>; ++t)
#pragma unroll
      for (int i = 0; i < 8; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sums[slice][t][i][j] *= by[row_of_thread<T>(i, j)];
}

// Where a thread's sum stands in a slice of two tiles.
template <class T>
__device__ __forceinline__ int sum_column(int t, int i, int j) {
  if constexpr (kOnTensorCores<T>) return t * kTileColumns<T> + result_column<T>(i, j);
  return static_cast<int>(threadIdx.x) % 16 * 4 + j;
}
template <class T>
__device__ __forceinline__ int sum_index(int t, int i, int j) {
  const int column = sum_column<T>(t, i, j);
  return column / kTileColumns<T> * kTileSize<T> +
         tile_index<T>(result_row<T>(i, j), column % kTileColumns<T>);
}

template <class T, int kSlices>
inline constexpr int kBlockColumns = kSlices* kSliceColumns<T>;

// Shared memory, in elements of T: two steps of keys or values; of each team its queries, the map of floats,
// and what is added.
template <class T>
__host__ __device__ constexpr int tiles_of_columns(int columns) {
  return columns == 0 ? 1 : (columns + kTileColumns<T> - 1) / kTileColumns<T>;
}
template <class T>
__host__ __device__ constexpr int team_size(int depth, bool adds) {
  return tiles_of_columns<T>(depth) * kTileSize<T> + kStagedMapSize<T> + (adds ? kTileRows * kTileRows : 0);
}
// threadIdx.y: which team.
template <class T, int kSlices, int kTeams>
__global__ void __launch_bounds__(kTeams* kTileThreads, 2 / kTeams)
    attention_kernel(ForwardOf<T> p, int column_blocks) {
  TYTO_SHARED_DYNAMIC(T, shared);
  const AttentionOf<T>& of = p.of;
  const int queries = static_cast<int>(of.queries), depth = static_cast<int>(of.depth),
            width = static_cast<int>(of.width);
  const int score_steps = tiles_of_columns<T>(depth);
  const auto team = static_cast<int>(threadIdx.y);
  T* const steps_of_keys = shared;
  T* const own = steps_of_keys + 2 * kStepSize<T> + team * team_size<T>(depth, adds_to_scores(of));
  T* const of_queries = own;
  float* const staged_map = reinterpret_cast<float*>(of_queries + score_steps * kTileSize<T>);
  T* const added = of_queries + score_steps * kTileSize<T> + kStagedMapSize<T>;

  const int query_tiles = (queries + kTeams * kTileRows - 1) / (kTeams * kTileRows);
  const int column = static_cast<int>(blockIdx.x % column_blocks) * kBlockColumns<T, kSlices>;
  const int row = (static_cast<int>(blockIdx.x / column_blocks % query_tiles) * kTeams + team) * kTileRows;
  const auto head_of_all = static_cast<int>(blockIdx.x / column_blocks / query_tiles);
  const int b = head_of_all / static_cast<int>(of.heads), head = head_of_all % static_cast<int>(of.heads);
  const int slices = min(kSlices, (width - column + kSliceColumns<T> - 1) / kSliceColumns<T>);
  const int steps = score_steps + slices;

  const TokenRows<const T> q = rows_of(of.q, b, head, queries, depth);
  for (int t = 0; t < score_steps; ++t) load_tile(q, row, t * kTileColumns<T>, of_queries + t * kTileSize<T>);

  Sums<T, kSlices> sums = {};
  RunningRows<T> rows;
#pragma unroll
  for (int r = 0; r < kRowsOfThread<T>; ++r) {
    rows.maximum[r] = -INFINITY;
    rows.sum[r] = 0;
  }
  for (int s = 0; s < of.key_sets; ++s) {
    const KeySet<T>& set = of.sets[s];
    const auto keys = static_cast<int>(set.keys);
    const bool adds = set.bias.data || set.mask.data;
    const auto load_step = [&](int step, int key, T* tiles) {
      if (step < score_steps) {
        if (team == 0) load_tile(rows_of(set.k, b, head, keys, depth), key, step * kTileColumns<T>, tiles);
        return;
      }
      const int c = column + (step - score_steps) * kSliceColumns<T>;
      const TokenRows<const T> v = rows_of(set.v, b, head, keys, width);
      for (int t = team; t < 2; t += kTeams)
        load_tile(v, key, c + t * kTileColumns<T>, tiles + t * kTileSize<T>);
    };
    __syncthreads();  // the set before is done with
    int buffer = 0;
    if (keys > 0) load_step(0, 0, steps_of_keys);
    commit_async();
    for (int key = 0; key < keys; key += kTileRows) {
      TileResults map = {};
      // Steps are known to the compiler, so that sums stay in registers.
      const auto next_step = [&](int step) {
        wait_async<0>();
        __syncthreads();
        const T* const tiles = steps_of_keys + buffer * kStepSize<T>;
        buffer ^= 1;
        const bool last = step + 1 == steps;
        const int next_key = last ? key + kTileRows : key;
        if (next_key < keys) load_step(last ? 0 : step + 1, next_key, steps_of_keys + buffer * kStepSize<T>);
        commit_async();
        return tiles;
      };
      for (int step = 0; step < score_steps; ++step) {
        const T* const tiles = next_step(step);
        multiply_rows(of_queries + step * kTileSize<T>, tiles,
                      min(kTileColumns<T>, depth - step * kTileColumns<T>), map);
      }
      if (adds) {
        load_added(added_scores(of, set, b, head), row, key, added);
        __syncthreads();
      }
      float rescale[kRowsOfThread<T>];
      continue_softmax<T>(of.scale, adds ? added : nullptr, keys - key, map, rows, rescale);
      multiply_rows_of<T, kSlices>(sums, rescale);
#pragma unroll
      for (int slice = 0; slice < kSlices; ++slice) {
        if (slice >= slices) break;
        const T* const tiles = next_step(score_steps + slice);
        multiply_map(map, tiles, min(kSliceColumns<T>, width - column - slice * kSliceColumns<T>), staged_map,
                     sums[slice]);
      }
    }
  }

  float share[kRowsOfThread<T>];
#pragma unroll
  for (int r = 0; r < kRowsOfThread<T>; ++r) {
    const float sum = sum_over_columns<T>(rows.sum[r]);
    share[r] = sum == 0 ? 0 : 1 / sum;
    const int query = row + (kOnTensorCores<T> ? result_row<T>(0, 2 * r) : result_row<T>(r, 0));
    if (column > 0 || result_column<T>(0, 0) != 0 || query >= queries) continue;
    if (p.rows.maximum) p.rows.maximum[int64_t{head_of_all} * queries + query] = rows.maximum[r];
    if (p.rows.sum) p.rows.sum[int64_t{head_of_all} * queries + query] = sum;
  }
  multiply_rows_of<T, kSlices>(sums, share);
  wait_async<0>();
  const float gamma = p.gamma ? *p.gamma : 1;
#pragma unroll
  for (int slice = 0; slice < kSlices; ++slice) {
    if (slice >= slices) break;
    T* const tiles = steps_of_keys + (kTeams == 1 ? slice % 2 : team) * kStepSize<T>;
    const int c = column + slice * kSliceColumns<T>;
    __syncthreads();  // what stood there is read
    if (p.gamma) {
      const TokenRows<const T> x = rows_of(p.x, b, head, queries, width);
      load_tile(x, row, c, tiles);
      load_tile(x, row, c + kTileColumns<T>, tiles + kTileSize<T>);
      commit_async();
      wait_async<0>();
      __syncthreads();
    }
#pragma unroll
    for (int t = 0; t < kSliceResults<T>; ++t)
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        constexpr int kTogether = kOnTensorCores<T> ? 2 : 4;
#pragma unroll
        for (int j = 0; j < 4; j += kTogether) {
          T* const at = tiles + sum_index<T>(t, i, j);
          float y[kTogether], x[kTogether] = {};
          if (p.gamma && sum_column<T>(t, i, j) < width - c) load<kTogether>(at, x);
#pragma unroll
          for (int n = 0; n < kTogether; ++n)
            y[n] = p.gamma ? gamma * sums[slice][t][i][j + n] + x[n] : sums[slice][t][i][j + n];
          store<kTogether>(y, at);
        }
      }
    __syncthreads();
    const TokenRows<T> y = rows_of(p.y, b, head, queries, width);
    store_tile(tiles, y, row, c);
    store_tile(tiles + kTileSize<T>, y, row, c + kTileColumns<T>);
  }
}

}  // namespace

template <class T>
void scaled_attention(const AttentionOf<T>& of, const float* gamma, Tokens<const T> x, Tokens<T> y,
                      const RowStatistics& rows, Stream stream) {
  const int queries = checked_int(of.queries, "attention's queries");
  checked_int(of.batch * of.heads, "attention's heads of all items");
  if (of.depth > kMaxHeadSize)
    throw DeviceError("attention over heads of " + std::to_string(of.depth) + " values; at most " +
                      std::to_string(kMaxHeadSize) + " are possible");
  double pairs = 0;
  for (int s = 0; s < of.key_sets; ++s) {
    checked_int(of.sets[s].keys, "attention's keys");
    pairs += static_cast<double>(of.sets[s].keys);
  }
  pairs *= static_cast<double>(of.batch * of.heads * of.queries);
  const auto go = [&]<int kSlices, int kTeams>() {
    const int64_t column_blocks =
        std::max<int64_t>(1, (of.width + kBlockColumns<T, kSlices> - 1) / kBlockColumns<T, kSlices>);
    constexpr int64_t kQueries = kTeams * kTileRows;
    const int64_t blocks = of.batch * of.heads * ((queries + kQueries - 1) / kQueries) * column_blocks;
    // Of a score: scale, comparison, difference and sum. Of floats the products, too.
    const auto maps = static_cast<double>(column_blocks);
    const double products =
        kOnTensorCores<T> ? 0 : static_cast<double>(of.depth) * maps + static_cast<double>(of.width);
    const auto team_bytes =
        sizeof(T) * static_cast<size_t>(team_size<T>(static_cast<int>(of.depth), adds_to_scores(of)));
    launch<attention_kernel<T, kSlices, kTeams>>(
        {.grid = blocks_for(blocks, 1),
         .block = {kTileThreads, kTeams},
         .shared_bytes = sizeof(T) * 2 * kStepSize<T> + kTeams * team_bytes,
         .stream = stream,
         .work = {.operations = pairs * (4 * maps + products), .exponentials = pairs * maps}},
        ForwardOf<T>{of, gamma, x, y, rows}, static_cast<int>(column_blocks));
  };
  const auto with_teams = [&]<int kSlices>() {
    if constexpr (kOnTensorCores<T>)
      if (queries > kTileRows) return go.template operator()<kSlices, 2>();
    go.template operator()<kSlices, 1>();
  };
  if (of.width <= kSliceColumns<T>)
    with_teams.template operator()<1>();
  else
    with_teams.template operator()<2>();
}

template <class T>
void attention(const AttentionOf<T>& of, Tokens<T> y, const RowStatistics& rows, Stream stream) {
  scaled_attention<T>(of, nullptr, {}, y, rows, stream);
}

#define TYTO_INSTANTIATE(T)                                                                          \
  template void scaled_attention<T>(const AttentionOf<T>&, const float*, Tokens<const T>, Tokens<T>, \
                                    const RowStatistics&, Stream);                                   \
  template void attention<T>(const AttentionOf<T>&, Tokens<T>, const RowStatistics&, Stream);
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

// Gradients of attention. With P the map of probabilities, made again from q, k and the saved row maximum and
// sum, and dP_ij = dy_i . v_j:
//
//   D_i = sum_j P_ij dP_ij        dS = P (dP - D), of scale * q . k + bias
//   dq = scale * dS k             dk = scale * dS^T q             dv = P^T dy
//
// All four are one walk: a block owns 64 rows (queries for D and dq, keys for dk and dv) and 128 columns (64
// of floats) of the result; it goes over the others 64 at a time, makes that tile of the map in registers and
// multiplies it, as the left factor, with a tile of k, q or dy. So a result has one owner and one order of
// sums: no atomics, and no block has two accumulators. Products of halves run on tensor cores
// (attention_tiles.cuh); probabilities and dS are rounded to T for the second product, scale and gamma come
// to its sum. Tiles come by asynchronous copies, one step ahead: a step is a product over 128 bytes of a
// row. The block's own rows stay in shared memory where two blocks still fit into an A100's or H100's
// multiprocessor, which halves the reads from L2; else they come with every step.
//
// Cost for N queries and keys, depth d and width w <= 128: N^2 (d + w) multiply-adds for D, N^2 (2 d + w) for
// dq and dk each, N^2 (d + w) for dv, and an exponential a pair in each; a further slice of columns makes the
// map once more. Of position attention with N = 2592, d = 32, w = 256 that is 8.4 G an image, 288 + 320 + 320
// + 320 a pair of positions, of which 864 are products that the definition has; a block with dk and dv
// together would save 64 and hold 160 columns of sums a row. A launch moves each input and result once, the
// four together the inputs up to four times: 2.9 MB of halves an image, which stay in L2.
//
// Occupancy: two blocks, eight warps, a multiprocessor by registers (at most 236 a thread of halves, 254 of
// floats; three blocks for dv of floats, and on sm_80 to 89 for D), nothing spilled; 72 KB of shared memory
// with d = 32, w = 256 leave one block on an RTX 4090.
#include "kernels/attention/attention_backward.cuh"

#include <algorithm>

#include "kernels/attention/attention_rows.cuh"
#include "kernels/common/launch.h"

namespace tyto::kernels {
namespace {

template <class T>
struct BackwardOf {
  AttentionOf<T> of;
  RowStatistics rows;
  Tokens<const T> y_gradient;
  const float* gamma;
  float* row_dots;
};

// What the map of one head is made from. It stands in shared memory: registers are for tiles.
template <class T>
struct HeadRows {
  TokenRows<const T> q, k, v, dy;
  AddedScores<T> added;
};

// By one thread.
template <class T>
__device__ void find_rows(const BackwardOf<T>& p, const KeySet<T>& set, int64_t b, int64_t head,
                          HeadRows<T>& to) {
  const AttentionOf<T>& of = p.of;
  to.q = rows_of(of.q, b, head, of.queries, of.depth);
  to.dy = rows_of(p.y_gradient, b, head, of.queries, of.width);
  to.k = rows_of(set.k, b, head, set.keys, of.depth);
  to.v = rows_of(set.v, b, head, set.keys, of.width);
  to.added = added_scores(of, set, b, head);
}

inline constexpr float kLog2E = 1.44269504f;

// Of 64 queries, in shared memory. A probability is 2^(score log2 e - shift).
struct QueryStatistics {
  float shift[kTileRows], dot[kTileRows];
};

// A query that attends to nothing, or is none, has probabilities of 0.
template <class T>
__device__ void load_statistics(const BackwardOf<T>& p, int64_t head_of_all, int query, bool with_dots,
                                QueryStatistics& to) {
  const int i = threadIdx.x;
  if (i >= kTileRows) return;
  float shift = INFINITY, dot = 0;
  if (query + i < p.of.queries) {
    const int64_t row = head_of_all * p.of.queries + query + i;
    const float sum = p.rows.sum[row];
    if (sum != 0) shift = p.rows.maximum[row] * kLog2E + log2f(sum);
    if (with_dots) dot = p.row_dots[row];
  }
  to.shift[i] = shift;
  to.dot[i] = dot;
}

// Whether what is added to scores stands as the map does, keys in rows: halves are read across just as well.
template <class T, bool kByKey>
inline constexpr bool kAcross = kByKey && !kOnTensorCores<T>;

// Products of queries and keys become probabilities.
// added  null: nothing is
// keys   from the tile's first on
template <class T, bool kByKey>
__device__ __forceinline__ void make_probabilities(const QueryStatistics& of, float scale, const T* added,
                                                   int keys, TileResults& map) {
#pragma unroll
  for (int i = 0; i < 8; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) map[i][j] *= scale * kLog2E;
  if (added)
#pragma unroll
    for (int i = 0; i < 8; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const unsigned row = result_row<T>(i, j), column = result_column<T>(i, j);
        const float more =
            as_float(added[added_index<T, kAcross<T, kByKey>>(kByKey ? column : row, kByKey ? row : column)]);
        map[i][j] = more == -INFINITY ? more : map[i][j] + more * kLog2E;
      }
#pragma unroll
  for (int i = 0; i < 8; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j)
      map[i][j] = exp2f(map[i][j] - of.shift[kByKey ? result_column<T>(i, j) : result_row<T>(i, j)]);
  // Rows of keys that are none are not stored, but columns would be summed.
  if (!kByKey && keys < kTileRows)
#pragma unroll
    for (int i = 0; i < 8; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j)
        if (static_cast<int>(result_column<T>(i, j)) >= keys) map[i][j] = 0;
}

// Probabilities become gradients of scores.
template <class T, bool kByKey>
__device__ __forceinline__ void make_score_gradients(const QueryStatistics& of, const TileResults& gradients,
                                                     TileResults& map) {
#pragma unroll
  for (int i = 0; i < 8; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const unsigned query = kByKey ? result_column<T>(i, j) : result_row<T>(i, j);
      map[i][j] *= gradients[i][j] - of.dot[query];
    }
}

enum class Walk { RowDots, Query, Key, Value };

// Shared memory of a walk, in elements of T: two steps' two tiles each, the map of floats, what is added, the
// block's own rows.
template <class T>
__host__ __device__ constexpr int added_size(bool adds) {
  return adds ? kTileRows * kTileRows : 0;
}
template <class T>
constexpr size_t walk_bytes(bool adds, int own_tiles) {
  return sizeof(T) * static_cast<size_t>(2 * kStepSize<T> + kStagedMapSize<T> + added_size<T>(adds) +
                                         own_tiles * kTileSize<T>);
}
// Of which two blocks fit into an A100's or H100's multiprocessor.
inline constexpr size_t kMostWalkBytes = 80 << 10;

template <class T>
__host__ __device__ constexpr int tiles_of_columns(int64_t columns) {
  return columns == 0 ? 1 : static_cast<int>((columns + kTileColumns<T> - 1) / kTileColumns<T>);
}

template <class T, Walk kWalk>
__global__ void __launch_bounds__(kTileThreads, 2)
    attention_gradient_kernel(BackwardOf<T> p, int first_set, int end_set, Tokens<T> to, int slices,
                              bool adds, bool keeps_own) {
  constexpr bool kByKey = kWalk == Walk::Key || kWalk == Walk::Value;
  constexpr bool kHasSums = kWalk != Walk::RowDots, kHasGradients = kWalk != Walk::Value;
  TYTO_SHARED_DYNAMIC(T, shared);
  TYTO_SHARED_ARRAY(QueryStatistics, statistics, 1);
  TYTO_SHARED_ARRAY(HeadRows<T>, all_rows, 1);
  HeadRows<T>& head_rows = all_rows[0];
  float* staged_map = reinterpret_cast<float*>(shared + 2 * kStepSize<T>);
  T* added = shared + 2 * kStepSize<T> + kStagedMapSize<T>;
  T* own = added + added_size<T>(adds);

  const AttentionOf<T>& of = p.of;
  const int owned = static_cast<int>(kByKey ? of.sets[first_set].keys : of.queries);
  const int owners = (owned + kTileRows - 1) / kTileRows;
  const auto slice = static_cast<int>(blockIdx.x % slices);
  const int row = static_cast<int>(blockIdx.x / slices % owners) * kTileRows;
  const int64_t head_of_all = blockIdx.x / slices / owners;
  const int64_t b = head_of_all / of.heads, head = head_of_all % of.heads;
  const int depth = static_cast<int>(of.depth), width = static_cast<int>(of.width);
  const int columns_of_all = kWalk == Walk::Value ? width : depth, column = slice * kSliceColumns<T>;
  const int columns = min(kSliceColumns<T>, columns_of_all - column);
  const int score_steps = tiles_of_columns<T>(depth),
            map_steps = score_steps + (kHasGradients ? tiles_of_columns<T>(width) : 0);
  const int steps = map_steps + (kHasSums ? 1 : 0);

  [[maybe_unused]] TileResults sums[kSliceResults<T>] = {};
  [[maybe_unused]] float dots[kRowsOfThread<T>] = {};
  if (!kByKey) load_statistics(p, head_of_all, row, kHasSums, statistics[0]);
  for (int s = first_set; s < end_set; ++s) {
    const KeySet<T>& set = of.sets[s];
    __syncthreads();  // the set before is done with
    if (threadIdx.x == 0) find_rows(p, set, b, head, head_rows);
    __syncthreads();
    const bool set_adds = set.bias.data || set.mask.data;
    const auto keys = static_cast<int>(set.keys), others = kByKey ? static_cast<int>(of.queries) : keys;
    // Columns of a step on the way to the map.
    const auto column_of = [&](int step) {
      return (step < score_steps ? step : step - score_steps) * kTileColumns<T>;
    };
    const auto load_own = [&](int step, T* tile) {
      const bool of_scores = step < score_steps;
      load_tile(kByKey ? (of_scores ? head_rows.k : head_rows.v) : (of_scores ? head_rows.q : head_rows.dy),
                row, column_of(step), tile);
    };
    const auto load_step = [&](int step, int other, T* two_tiles) {
      const bool of_scores = step < score_steps, of_map = step < map_steps;
      const TokenRows<const T>& from = of_scores              ? (kByKey ? head_rows.q : head_rows.k)
                                       : of_map               ? (kByKey ? head_rows.dy : head_rows.v)
                                       : kWalk == Walk::Query ? head_rows.k
                                       : kWalk == Walk::Key   ? head_rows.q
                                                              : head_rows.dy;
      load_tile(from, other, of_map ? column_of(step) : column, two_tiles);
      if (!of_map && columns > kTileColumns<T>)
        load_tile(from, other, column + kTileColumns<T>, two_tiles + kTileSize<T>);
      if (of_map && !keeps_own) load_own(step, two_tiles + kTileSize<T>);
    };
    if (keeps_own && s == first_set)
      for (int step = 0; step < map_steps; ++step) load_own(step, own + step * kTileSize<T>);
    int buffer = 0;
    if (others > 0) load_step(0, 0, shared);
    commit_async();
    for (int other = 0; other < others; other += kTileRows) {
      TileResults map = {};
      [[maybe_unused]] TileResults gradients = {};
      for (int step = 0; step < steps; ++step) {
        wait_async<0>();
        __syncthreads();
        const T* tiles = shared + buffer * kStepSize<T>;
        buffer ^= 1;
        const bool last = step + 1 == steps;
        const int next_other = last ? other + kTileRows : other;
        if (next_other < others) load_step(last ? 0 : step + 1, next_other, shared + buffer * kStepSize<T>);
        commit_async();
        if (step < map_steps) {
          const T* const of_own = keeps_own ? own + step * kTileSize<T> : tiles + kTileSize<T>;
          const int left = (step < score_steps ? depth : width) - column_of(step);
          // Two calls: registers are not chosen at run time.
          if (step < score_steps)
            multiply_rows(of_own, tiles, min(kTileColumns<T>, left), map);
          else
            multiply_rows(of_own, tiles, min(kTileColumns<T>, left), gradients);
        } else if constexpr (kHasSums) {
          multiply_map(map, tiles, columns, staged_map, sums);
        }
        if (step + 1 != map_steps) continue;
        if (kByKey) load_statistics(p, head_of_all, other, kHasGradients, statistics[0]);
        if (set_adds)
          load_added<T, kAcross<T, kByKey>>(head_rows.added, kByKey ? other : row, kByKey ? row : other,
                                            added);
        if (kByKey || set_adds) __syncthreads();
        make_probabilities<T, kByKey>(statistics[0], of.scale, set_adds ? added : nullptr,
                                      keys - (kByKey ? row : other), map);
        if constexpr (kWalk == Walk::RowDots) {
#pragma unroll
          for (int i = 0; i < 8; ++i)
#pragma unroll
            for (int j = 0; j < 4; ++j) dots[row_of_thread<T>(i, j)] += map[i][j] * gradients[i][j];
        } else if constexpr (kHasGradients) {
          make_score_gradients<T, kByKey>(statistics[0], gradients, map);
        }
      }
    }
  }

  if constexpr (kHasSums) {
    float factor = kWalk == Walk::Value ? 1 : of.scale;
    if (p.gamma) factor *= *p.gamma;
    __syncthreads();  // the last tiles are read
    stage_sums(sums, factor, shared);
    __syncthreads();
    const TokenRows<T> rows = {to.data + b * owned * to.stride + head * columns_of_all, to.stride, owned,
                               columns_of_all};
    store_tile(shared, rows, row, column);
    store_tile(shared + kTileSize<T>, rows, row, column + kTileColumns<T>);
  } else {
#pragma unroll
    for (int i = 0; i < kRowsOfThread<T>; ++i) {
      const float dot = sum_over_columns<T>(dots[i]);
      const int query =
          row + static_cast<int>(kOnTensorCores<T> ? result_row<T>(0, 2 * i) : result_row<T>(i, 0));
      if (result_column<T>(0, 0) == 0 && query < owned) p.row_dots[head_of_all * of.queries + query] = dot;
    }
  }
}

// The bias's gradient is dS, summed over the items and heads that share it: a block owns 64 queries and 64
// keys of one bias.
template <class T>
__global__ void __launch_bounds__(kTileThreads)
    attention_bias_gradient_kernel(BackwardOf<T> p, KeySet<T> set, float* to) {
  TYTO_SHARED_DYNAMIC(T, shared);
  TYTO_SHARED_ARRAY(QueryStatistics, statistics, 1);
  TYTO_SHARED_ARRAY(HeadRows<T>, all_rows, 1);
  HeadRows<T>& rows = all_rows[0];
  T* added = shared + kStepSize<T>;
  const AttentionOf<T>& of = p.of;
  const int queries = static_cast<int>(of.queries), keys = static_cast<int>(set.keys);
  const int key_tiles = (keys + kTileRows - 1) / kTileRows,
            query_tiles = (queries + kTileRows - 1) / kTileRows;
  const int key = static_cast<int>(blockIdx.x % key_tiles) * kTileRows;
  const int query = static_cast<int>(blockIdx.x / key_tiles % query_tiles) * kTileRows;
  const int64_t matrix = blockIdx.x / key_tiles / query_tiles;
  const int64_t first_b = matrix / set.bias.heads, bias_head = matrix % set.bias.heads;
  const int64_t shared_heads = set.bias.heads == 1 ? of.heads : 1;

  TileResults sums = {};
  for (int64_t b = first_b; b < of.batch; b += set.bias.batch)
    for (int64_t head = bias_head; head < bias_head + shared_heads; ++head) {
      if (threadIdx.x == 0) find_rows(p, set, b, head, rows);
      __syncthreads();
      TileResults map = {}, gradients = {};
      const auto multiply = [&](const TokenRows<const T>& of_queries, const TokenRows<const T>& of_keys,
                                TileResults& results) {
        for (int column = 0; column < of_queries.columns; column += kTileColumns<T>) {
          __syncthreads();  // what stands there is read
          load_tile(of_queries, query, column, shared);
          load_tile(of_keys, key, column, shared + kTileSize<T>);
          commit_async();
          wait_async<0>();
          __syncthreads();
          multiply_rows(shared, shared + kTileSize<T>, min(kTileColumns<T>, of_queries.columns - column),
                        results);
        }
      };
      multiply(rows.q, rows.k, map);
      multiply(rows.dy, rows.v, gradients);
      load_statistics(p, b * of.heads + head, query, true, statistics[0]);
      load_added(rows.added, query, key, added);
      __syncthreads();
      make_probabilities<T, false>(statistics[0], of.scale, added, keys - key, map);
      make_score_gradients<T, false>(statistics[0], gradients, map);
#pragma unroll
      for (int i = 0; i < 8; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sums[i][j] += map[i][j];
    }
  const float factor = p.gamma ? *p.gamma : 1;
  to += matrix * queries * keys;
  // Of halves neighbours' pairs make a sector.
  const bool in_pairs =
      kOnTensorCores<T> && keys % 2 == 0 && reinterpret_cast<uintptr_t>(to) % (2 * sizeof(float)) == 0;
#pragma unroll
  for (int i = 0; i < 8; ++i)
#pragma unroll
    for (int j = 0; j < 4; j += 2) {
      const float two[] = {factor * sums[i][j], factor * sums[i][j + 1]};
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const int to_query = query + static_cast<int>(result_row<T>(i, j + c)),
                  to_key = key + static_cast<int>(result_column<T>(i, j + c));
        if (to_query >= queries || to_key >= keys) continue;
        float* at = to + static_cast<int64_t>(to_query) * keys + to_key;
        if (!in_pairs)
          *at = two[c];
        else if (c == 0)
          store<2>(two, at);
      }
    }
}

int64_t tiles_of(int64_t rows) { return (rows + kTileRows - 1) / kTileRows; }

}  // namespace

template <class T>
void scaled_attention_backward(const AttentionOf<T>& of, const RowStatistics& rows,
                               Tokens<const T> y_gradient, const float* gamma, bool gamma_wanted,
                               const AttentionGradients<T>& to, float* row_dots, Stream stream) {
  checked_int(of.queries, "attention's queries");
  checked_int(of.batch * of.heads, "attention's heads of all items");
  const BackwardOf<T> p = {of, rows, y_gradient, gamma, row_dots};
  if (of.depth > kMaxHeadSize)
    throw DeviceError("gradients of attention over heads of " + std::to_string(of.depth) +
                      " values; at most " + std::to_string(kMaxHeadSize) + " are possible");
  const bool adds = adds_to_scores(of);
  bool dots_wanted = gamma_wanted || to.q.data;
  int64_t all_keys = 0;
  for (int s = 0; s < of.key_sets; ++s) {
    checked_int(of.sets[s].keys, "attention's keys");
    all_keys += of.sets[s].keys;
    dots_wanted = dots_wanted || to.sets[s].k.data || to.sets[s].bias;
  }
  // Of a pair of query and key: scale, difference, share and, but for v, product with the probability's
  // gradient; an exponential. Of floats the products, too.
  const auto work = [&](int64_t keys, int64_t times, bool of_v, int64_t columns) {
    const double pairs = static_cast<double>(of.batch * of.heads * of.queries) * static_cast<double>(keys);
    const int64_t products = times * (of.depth + (of_v ? 0 : of.width)) + columns;
    const double operations =
        static_cast<double>(times * (of_v ? 3 : 5)) + (kOnTensorCores<T> ? 0 : static_cast<double>(products));
    return ScalarWork{.operations = pairs * operations, .exponentials = pairs * static_cast<double>(times)};
  };
  const auto walk = [&]<Walk kWalk>(int64_t owned, int64_t keys, int64_t columns, int first_set, int end_set,
                                    Tokens<T> result) {
    const int64_t slices = std::max<int64_t>(1, (columns + kSliceColumns<T> - 1) / kSliceColumns<T>);
    const int64_t blocks = of.batch * of.heads * tiles_of(owned);
    const int own_tiles =
        tiles_of_columns<T>(of.depth) + (kWalk == Walk::Value ? 0 : tiles_of_columns<T>(of.width));
    const bool keeps_own = walk_bytes<T>(adds, own_tiles) <= kMostWalkBytes;
    launch<attention_gradient_kernel<T, kWalk>>(
        {.grid = blocks_for(blocks * slices, 1),
         .block = kTileThreads,
         .shared_bytes = walk_bytes<T>(adds, keeps_own ? own_tiles : 0),
         .stream = stream,
         .work = work(keys, slices, kWalk == Walk::Value, columns)},
        p, first_set, end_set, result, static_cast<int>(slices), adds, keeps_own);
  };
  if (dots_wanted)
    walk.template operator()<Walk::RowDots>(of.queries, all_keys, 0, 0, of.key_sets, Tokens<T>{});
  if (to.q.data) walk.template operator()<Walk::Query>(of.queries, all_keys, of.depth, 0, of.key_sets, to.q);
  for (int s = 0; s < of.key_sets; ++s) {
    const KeySet<T>& set = of.sets[s];
    if (to.sets[s].k.data)
      walk.template operator()<Walk::Key>(set.keys, set.keys, of.depth, s, s + 1, to.sets[s].k);
    if (to.sets[s].v.data)
      walk.template operator()<Walk::Value>(set.keys, set.keys, of.width, s, s + 1, to.sets[s].v);
    if (to.sets[s].bias)
      launch<attention_bias_gradient_kernel<T>>(
          {.grid = blocks_for(set.bias.batch * set.bias.heads * tiles_of(of.queries) * tiles_of(set.keys), 1),
           .block = kTileThreads,
           .shared_bytes = sizeof(T) * (kStepSize<T> + kTileRows * kTileRows),
           .stream = stream,
           .work = work(set.keys, 1, false, 0)},
          p, set, to.sets[s].bias);
  }
}

template <class T>
void attention_backward(const AttentionOf<T>& of, const RowStatistics& rows, Tokens<const T> y_gradient,
                        const AttentionGradients<T>& to, float* workspace, Stream stream) {
  scaled_attention_backward(of, rows, y_gradient, nullptr, false, to, workspace, stream);
}

int64_t attention_backward_floats(int64_t batch, int64_t heads, int64_t queries) {
  return batch * heads * queries;
}

#define TYTO_INSTANTIATE(T)                                                                                \
  template void scaled_attention_backward<T>(const AttentionOf<T>&, const RowStatistics&, Tokens<const T>, \
                                             const float*, bool, const AttentionGradients<T>&, float*,     \
                                             Stream);                                                      \
  template void attention_backward<T>(const AttentionOf<T>&, const RowStatistics&, Tokens<const T>,        \
                                      const AttentionGradients<T>&, float*, Stream)
TYTO_INSTANTIATE(float);
TYTO_INSTANTIATE(Half);
TYTO_INSTANTIATE(BFloat16);
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

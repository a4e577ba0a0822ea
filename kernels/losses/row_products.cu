// Products, distances and weighted sums of rows: a block takes a 64 x 64 tile of the result and walks the
// depth (blocked_product.cuh). Of one set of rows the tiles on and above the diagonal are made, and each is
// written twice. A result of few tiles would leave most of the GPU idle (64 rows of 2048 are one tile): its
// depth is cut into pieces of at least 256, whose sums are added in order by a second kernel.
//
// Distances are sums of squared differences, not |a|^2 + |b|^2 - 2 ab: one operation more a pair and step,
// and close rows keep their digits.
//
// Cost for n rows of width d with themselves: n^2 d / 2 multiply-adds (twice that for distances); each row is
// read once for each of its n / 64 tiles. Bound by FP32 units from n = 256 on.
#include "kernels/losses/row_products.h"

#include <algorithm>

#include "kernels/common/blocked_product.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/row_reduce.cuh"

namespace tyto::kernels {
namespace {

constexpr int kBlock = kReduceBlock;
constexpr int64_t kEnoughTiles = 128, kLeastPiece = 256;
constexpr int kSquare = 32;  // side of the tiles in which an n x n array meets its transpose

struct SquaredDifference {
  template <class C>
  __device__ void operator()(C& sum, C a, C b) const {
    const C d = a - b;
    sum += d * d;
  }
};

// Where the device has fewer rows, columns or steps of the depth than the launch was made for; null: it has
// not.
struct Used {
  const int32_t *rows = nullptr, *columns = nullptr, *depth = nullptr;
};

__device__ int64_t count_of(const int32_t* used, int64_t most) { return used == nullptr ? most : *used; }

// pieces == 1: the result itself. Else [pieces][rows][columns] of partial sums.
template <class C>
struct TileResult {
  C* to;
  int64_t rows, columns;
  bool mirrored;  // square, and its own transpose
  bool root;      // of each sum
  bool add;       // to what is there
  int64_t depth, piece;
  Used used;
};

template <class C>
__device__ C root_of(C v) {
  return sqrt(v);
}

template <class C, class Combine>
__global__ void __launch_bounds__(kTileThreads)
    row_tiles_kernel(TileFactor<C> a, TileFactor<C> b, TileResult<C> result) {
  using SixteenBytes = Pack<C, kPack<C>>;
  TYTO_SHARED_ARRAY(SixteenBytes, packs, kTileStages<C> / kPack<C>);
  C* const stages = reinterpret_cast<C*>(packs);
  const int64_t first_row = static_cast<int64_t>(blockIdx.y) * kTileSide;
  const int64_t first_column = static_cast<int64_t>(blockIdx.x) * kTileSide;
  if (result.mirrored && first_column < first_row) return;
  a.rows = count_of(result.used.rows, result.rows);
  b.rows = count_of(result.used.columns, result.columns);
  if (first_row >= a.rows || first_column >= b.rows) return;
  C sums[kTileRows][kTileColumns] = {};
  const int64_t begin = static_cast<int64_t>(blockIdx.z) * result.piece;
  const int64_t depth = count_of(result.used.depth, result.depth);
  const int64_t end = begin + result.piece < depth ? begin + result.piece : depth;
  blocked_tile<Combine>(a, first_row, b, first_column, begin, end, stages, sums);
  C* to = result.to + static_cast<int64_t>(blockIdx.z) * result.rows * result.columns;
  const auto put = [&](int64_t i, int64_t j, int64_t at, C sum) {
    if (i >= a.rows || j >= b.rows) return;
    const C v = result.root ? root_of(sum) : sum;
    to[at] = result.add ? to[at] + v : v;
  };
  give_tile(
      sums, stages, result.mirrored && first_column != first_row,
      [&](int row, int column, C sum) {
        const int64_t i = first_row + row, j = first_column + column;
        put(i, j, i * result.columns + j, sum);
      },
      [&](int row, int column, C sum) {
        const int64_t i = first_row + row, j = first_column + column;
        put(i, j, j * result.columns + i, sum);
      });
}

template <class C>
__global__ void __launch_bounds__(kBlock)
    add_pieces_kernel(const C* __restrict__ pieces, int64_t count, int64_t rows, int64_t columns, Used used,
                      bool root, bool add, C* __restrict__ to) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x, size = rows * columns;
  if (i >= count_of(used.rows, rows) * columns) return;
  if (used.columns != nullptr && i % columns >= *used.columns) return;
  C sum = 0;
  for (int64_t p = 0; p < count; ++p) sum += pieces[p * size + i];
  if (root) sum = root_of(sum);
  to[i] = add ? to[i] + sum : sum;
}

int64_t tiles_of(int64_t rows) { return (rows + kTileSide - 1) / kTileSide; }

int64_t pieces_of(int64_t rows, int64_t columns, int64_t depth) {
  const int64_t tiles = std::max<int64_t>(1, tiles_of(rows) * tiles_of(columns));
  return std::clamp<int64_t>(kEnoughTiles / tiles, 1, std::max<int64_t>(1, depth / kLeastPiece));
}

template <class C>
int64_t pieces_bytes(int64_t rows, int64_t columns, int64_t depth) {
  const int64_t pieces = pieces_of(rows, columns, depth);
  return pieces == 1 ? 0 : pieces * rows * columns * static_cast<int64_t>(sizeof(C));
}

// The whole result; `operations` for each pair and step of the depth.
template <class Combine, class C>
void tiles(const TileFactor<C>& a, const TileFactor<C>& b, int64_t depth, bool mirrored, bool root, bool add,
           double operations, const Used& used, C* to, void* workspace, Stream stream) {
  const int64_t count = pieces_of(a.rows, b.rows, depth);
  const bool whole = count == 1;
  // Pieces of whole slices.
  const int64_t piece = (depth + count * kTileDepth - 1) / (count * kTileDepth) * kTileDepth;
  const TileResult<C> result{.to = whole ? to : static_cast<C*>(workspace),
                             .rows = a.rows,
                             .columns = b.rows,
                             .mirrored = mirrored,
                             .root = whole && root,
                             .add = whole && add,
                             .depth = depth,
                             .piece = piece,
                             .used = used};
  const auto width = static_cast<unsigned>(tiles_of(b.rows)),
             height = static_cast<unsigned>(tiles_of(a.rows));
  const double pairs = static_cast<double>(a.rows) * static_cast<double>(b.rows) / (mirrored ? 2 : 1);
  launch<row_tiles_kernel<C, Combine>>(
      {.grid = {width, height, static_cast<unsigned>(count)},
       .block = kTileThreads,
       .stream = stream,
       .work = {.operations = operations * pairs * static_cast<double>(depth)}},
      a, b, result);
  if (whole) return;
  const int64_t size = a.rows * b.rows;
  launch<add_pieces_kernel<C>>({.grid = blocks_for(size, kBlock), .block = kBlock, .stream = stream},
                               result.to, count, a.rows, b.rows, used, root, add, to);
}

// slopes and their transpose, a pair of tiles a block: the factors of rows. distances: null for products.
template <class C>
__global__ void __launch_bounds__(kBlock)
    symmetric_weights_kernel(const C* __restrict__ distances, int64_t n, const int32_t* __restrict__ used,
                             C* slopes) {
  TYTO_SHARED_ARRAY(C, upper, kSquare * (kSquare + 1));
  TYTO_SHARED_ARRAY(C, lower, kSquare * (kSquare + 1));
  if (blockIdx.x < blockIdx.y) return;
  const int x = static_cast<int>(threadIdx.x) % kSquare, y = static_cast<int>(threadIdx.x) / kSquare;
  const int64_t row = static_cast<int64_t>(blockIdx.y) * kSquare,
                column = static_cast<int64_t>(blockIdx.x) * kSquare, size = count_of(used, n);
  constexpr int kStep = kBlock / kSquare;
#pragma unroll 1
  for (int i = y; i < kSquare; i += kStep) {
    if (row + i < size && column + x < size)
      upper[i * (kSquare + 1) + x] = slopes[(row + i) * n + column + x];
    if (column + i < size && row + x < size)
      lower[i * (kSquare + 1) + x] = slopes[(column + i) * n + row + x];
  }
  __syncthreads();
  const auto weight = [&](const C* here, const C* there, int i, int64_t first_row, int64_t first_column) {
    const int64_t r = first_row + i, c = first_column + x;
    if (r >= size || c >= size) return;
    const C sum = here[i * (kSquare + 1) + x] + there[x * (kSquare + 1) + i];
    const C d = distances == nullptr ? C{-1} : distances[r * n + c];
    slopes[r * n + c] = d == 0 ? C{0} : -sum / d;
  };
#pragma unroll 1
  for (int i = y; i < kSquare; i += kStep) {
    weight(upper, lower, i, row, column);
    if (row != column) weight(lower, upper, i, column, row);
  }
}

// The diagonal of distances' weights: a row's weights add up to 0.
template <class C>
__global__ void __launch_bounds__(kBlock)
    weights_diagonal_kernel(int64_t n, const int32_t* __restrict__ used, C* weights) {
  TYTO_SHARED_ARRAY(C, partial, kReduceWarps);
  const int64_t row = blockIdx.x, size = count_of(used, n);
  if (row >= size) return;
  C sum = 0;
  for (int64_t j = threadIdx.x; j < size; j += kBlock)
    if (j != row) sum += weights[row * n + j];
  sum = row_reduce<Plus, kBlock>(sum, partial);
  if (threadIdx.x == 0) weights[row * n + row] = -sum;
}

template <class C>
void symmetric_weights(const C* distances, int64_t n, const int32_t* used, C* slopes, Stream stream) {
  const unsigned side = blocks_for(n, kSquare);
  launch<symmetric_weights_kernel<C>>({.grid = {side, side}, .block = kBlock, .stream = stream}, distances, n,
                                      used, slopes);
}

template <class C>
TileFactor<C> rows_of(const C* values, int64_t rows, int64_t width) {
  return {.values = values, .rows = rows, .row = width, .depth = 1};
}
template <class C>
Used used_of(const RowPairs<C>& p) {
  return {.rows = p.a_used, .columns = p.one_set() ? p.a_used : nullptr};
}
template <class C>
TileFactor<C> columns_of(const C* values, int64_t columns) {
  return {.values = values, .rows = columns, .row = 1, .depth = columns};
}

}  // namespace

template <class C>
void row_products(const RowPairs<C>& p, C* products, void* workspace, Stream stream) {
  tiles<MultiplyAdd>(rows_of(p.a, p.a_rows, p.width), rows_of(p.b, p.b_rows, p.width), p.width, p.one_set(),
                     false, false, 1, used_of(p), products, workspace, stream);
}

template <class C>
void row_distances(const RowPairs<C>& p, C* distances, void* workspace, Stream stream) {
  tiles<SquaredDifference>(rows_of(p.a, p.a_rows, p.width), rows_of(p.b, p.b_rows, p.width), p.width,
                           p.one_set(), true, false, 2, used_of(p), distances, workspace, stream);
}

template <class C>
void weighted_rows(const RowPairs<C>& p, const C* weights, SumOver over, bool add, C* sums, void* workspace,
                   Stream stream) {
  if (over == SumOver::B)
    tiles<MultiplyAdd>(rows_of(weights, p.a_rows, p.b_rows), columns_of(p.b, p.width), p.b_rows, false, false,
                       add, 1, {.rows = p.a_used, .depth = p.one_set() ? p.a_used : nullptr}, sums, workspace,
                       stream);
  else
    tiles<MultiplyAdd>(columns_of(weights, p.b_rows), columns_of(p.a, p.width), p.a_rows, false, false, add,
                       1, {.rows = p.one_set() ? p.a_used : nullptr, .depth = p.a_used}, sums, workspace,
                       stream);
}

template <class C>
int64_t row_pairs_workspace(int64_t a_rows, int64_t b_rows, int64_t width) {
  return std::max({pieces_bytes<C>(a_rows, b_rows, width), pieces_bytes<C>(a_rows, width, b_rows),
                   pieces_bytes<C>(b_rows, width, a_rows)});
}

template <class C>
void distance_weights(const C* distances, int64_t n, C* slopes, Stream stream, const int32_t* used) {
  symmetric_weights(distances, n, used, slopes, stream);
  launch<weights_diagonal_kernel<C>>({.grid = blocks_for(n, 1), .block = kBlock, .stream = stream}, n, used,
                                     slopes);
}

template <class C>
void product_weights(int64_t n, C* slopes, Stream stream) {
  symmetric_weights<C>(nullptr, n, nullptr, slopes, stream);
}

#define TYTO_INSTANTIATE(C)                                                                    \
  template void row_products(const RowPairs<C>&, C*, void*, Stream);                           \
  template void row_distances(const RowPairs<C>&, C*, void*, Stream);                          \
  template void weighted_rows(const RowPairs<C>&, const C*, SumOver, bool, C*, void*, Stream); \
  template int64_t row_pairs_workspace<C>(int64_t, int64_t, int64_t);                          \
  template void distance_weights(const C*, int64_t, C*, Stream, const int32_t*);               \
  template void product_weights(int64_t, C*, Stream);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

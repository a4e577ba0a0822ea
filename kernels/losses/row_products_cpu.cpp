#include "kernels/losses/row_products.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/blocked_product.h"
#include "kernels/common/multiversion.h"
#include "kernels/common/workspace.h"

namespace tyto::kernels {
namespace {

constexpr int kLanes = 16;  // partial sums
struct Tile {
  int64_t rows, columns;
};
constexpr Tile kLarge = {96, 128}, kSmall = {24, 32};  // a thread's; small where large ones would be too few
constexpr int64_t kEnough = 8;
constexpr int64_t kDepth = 512;  // of a tile's step: a panel of it is 64 KB, in L2

// sum of a_k b_k, and of (a_k - b_k)^2, in an order that no set of instructions changes.
template <class C>
[[gnu::always_inline]] inline C sum_of_products(const C* a, const C* b, int64_t width) {
  C lanes[kLanes] = {};
  const int64_t whole = width / kLanes * kLanes;
  for (int64_t k = 0; k < whole; k += kLanes)
    for (int l = 0; l < kLanes; ++l) lanes[l] += a[k + l] * b[k + l];
  for (int64_t k = whole; k < width; ++k) lanes[k - whole] += a[k] * b[k];
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  return lanes[0];
}
template <class C>
[[gnu::always_inline]] inline C sum_of_differences(const C* a, const C* b, int64_t width) {
  C lanes[kLanes] = {};
  const int64_t whole = width / kLanes * kLanes;
  for (int64_t k = 0; k < whole; k += kLanes)
    for (int l = 0; l < kLanes; ++l) {
      const C d = a[k + l] - b[k + l];
      lanes[l] += d * d;
    }
  for (int64_t k = whole; k < width; ++k) lanes[k - whole] += (a[k] - b[k]) * (a[k] - b[k]);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  return lanes[0];
}

#define TYTO_OF(C)                                                                                        \
  TYTO_MULTIVERSION C dot(const C* a, const C* b, int64_t width) { return sum_of_products(a, b, width); } \
  TYTO_MULTIVERSION C squared_distance(const C* a, const C* b, int64_t width) {                           \
    return sum_of_differences(a, b, width);                                                               \
  }
TYTO_OF(double)
TYTO_OF(float)
#undef TYTO_OF

// What is lent: the packed factor and the squares of both sets' rows.
template <class C>
struct Scratch {
  C *packed, *a_squares, *b_squares;

  Scratch(Workspace& workspace, int64_t a_rows, int64_t b_rows, int64_t width)
      : packed(workspace.take<C>(std::max({packed_elements(width, b_rows), packed_elements(b_rows, width),
                                           packed_elements(a_rows, width)}))),
        a_squares(workspace.take<C>(a_rows)),
        b_squares(workspace.take<C>(b_rows)) {}
};

int64_t blocks(int64_t size, int64_t of) { return (size + of - 1) / of; }

// C (+)= A B, whose packed columns are `columns` and whose A has these strides. upper: only the tiles that
// reach the diagonal or lie above it.
template <class C>
struct PackedProduct {
  const C* a;
  int64_t a_row, a_column, rows, columns, depth;
  const C* packed;
  C* c;
  bool add, upper;
};

// finish(i, j, rows, columns) is called for each tile that is made, by the thread that made it.
template <class C, class Finish>
void multiply(const PackedProduct<C>& p, const Finish& finish) {
  const auto count = [&p](const Tile& t) { return blocks(p.rows, t.rows) * blocks(p.columns, t.columns); };
  const Tile of = count(kLarge) < kEnough ? kSmall : kLarge;
  const int64_t across = blocks(p.columns, of.columns), tiles = count(of);
#pragma omp parallel for schedule(dynamic)
  for (int64_t tile = 0; tile < tiles; ++tile) {
    const int64_t i = tile / across * of.rows, j = tile % across * of.columns;
    const int64_t rows = std::min(of.rows, p.rows - i), columns = std::min(of.columns, p.columns - j);
    if (p.upper && j + columns <= i) continue;
    BlockedProduct<C> product{.rows = rows,
                              .columns = columns,
                              .a_row = p.a_row,
                              .a_column = p.a_column,
                              .b_panel = p.depth * kProductPanel,
                              .c = p.c + i * p.columns + j,
                              .c_row = p.columns,
                              .accumulate = p.add};
    for (int64_t k = 0; k < p.depth; k += kDepth) {
      product.depth = std::min(kDepth, p.depth - k);
      product.a = p.a + i * p.a_row + k * p.a_column;
      product.b = p.packed + j * p.depth + k * kProductPanel;
      blocked_product(product);
      product.accumulate = true;
    }
    finish(i, j, rows, columns);
  }
}

// Rows of `from` as the columns of the packed factor, and columns as they are.
template <class C>
void pack_transposed(const C* from, int64_t rows, int64_t width, C* packed) {
#pragma omp parallel for schedule(static)
  for (int64_t j = 0; j < rows; j += kProductPanel)
    pack_columns(from + j * width, width, width, std::min(kProductPanel, rows - j), 1, packed + j * width);
}
template <class C>
void pack_straight(const C* from, int64_t rows, int64_t width, C* packed) {
#pragma omp parallel for schedule(static)
  for (int64_t j = 0; j < width; j += kProductPanel)
    pack_rows(from + j, width, rows, std::min(kProductPanel, width - j), 1, packed + j * rows);
}

// In what tile `upper` leaves out lies what its transpose has.
template <class C>
void mirror(int64_t n, C* square) {
#pragma omp parallel for schedule(dynamic)
  for (int64_t i = 0; i < n; i += kProductPanel)
    for (int64_t j = 0; j <= i; j += kProductPanel)
      for (int64_t r = i; r < std::min(i + kProductPanel, n); ++r)
        for (int64_t c = j; c < std::min(j + kProductPanel, r); ++c) square[r * n + c] = square[c * n + r];
}

// A dimension that is 0 leaves nothing to sum.
template <class C>
bool nothing(const RowPairs<C>& p, C* to) {
  if (p.width > 0) return p.a_rows == 0 || p.b_rows == 0;
  std::fill_n(to, p.a_rows * p.b_rows, C{0});
  return true;
}

}  // namespace

template <class C>
int64_t row_pairs_cpu_workspace(int64_t a_rows, int64_t b_rows, int64_t width) {
  Workspace measured;
  Scratch<C>(measured, a_rows, b_rows, width);
  return measured.bytes();
}

template <class C>
void row_products_cpu(const RowPairs<C>& p, C* products, void* workspace) {
  if (nothing(p, products)) return;
  Workspace lent(workspace);
  const Scratch<C> scratch(lent, p.a_rows, p.b_rows, p.width);
  pack_transposed(p.b, p.b_rows, p.width, scratch.packed);
  multiply<C>({p.a, p.width, 1, p.a_rows, p.b_rows, p.width, scratch.packed, products, false, p.one_set()},
              [](int64_t, int64_t, int64_t, int64_t) {});
  if (p.one_set()) mirror(p.a_rows, products);
}

// A squared distance of at least a sixteenth of |a|^2 + |b|^2 loses four bits by the difference of that and 2
// ab; others, rows of one identity at most, are summed from differences.
template <class C>
void row_distances_cpu(const RowPairs<C>& p, C* distances, void* workspace) {
  if (nothing(p, distances)) return;
  Workspace lent(workspace);
  const Scratch<C> scratch(lent, p.a_rows, p.b_rows, p.width);
  pack_transposed(p.b, p.b_rows, p.width, scratch.packed);
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < p.a_rows; ++i)
    scratch.a_squares[i] = dot(p.a + i * p.width, p.a + i * p.width, p.width);
#pragma omp parallel for schedule(static)
  for (int64_t j = 0; j < p.b_rows; ++j)
    scratch.b_squares[j] = dot(p.b + j * p.width, p.b + j * p.width, p.width);
  multiply<C>({p.a, p.width, 1, p.a_rows, p.b_rows, p.width, scratch.packed, distances, false, p.one_set()},
              [&](int64_t first_i, int64_t first_j, int64_t rows, int64_t columns) {
                for (int64_t i = first_i; i < first_i + rows; ++i)
                  for (int64_t j = first_j; j < first_j + columns; ++j) {
                    C& d = distances[i * p.b_rows + j];
                    const C squares = scratch.a_squares[i] + scratch.b_squares[j], squared = squares - 2 * d;
                    d = std::sqrt(squared >= squares / 16
                                      ? squared
                                      : squared_distance(p.a + i * p.width, p.b + j * p.width, p.width));
                  }
              });
  if (p.one_set()) mirror(p.a_rows, distances);
}

template <class C>
void weighted_rows_cpu(const RowPairs<C>& p, const C* weights, SumOver over, bool add, C* sums,
                       void* workspace) {
  const bool of_b = over == SumOver::B;
  const int64_t rows = of_b ? p.a_rows : p.b_rows, terms = of_b ? p.b_rows : p.a_rows;
  if (rows == 0 || p.width == 0) return;
  if (terms == 0) {
    if (!add) std::fill_n(sums, rows * p.width, C{0});
    return;
  }
  Workspace lent(workspace);
  const Scratch<C> scratch(lent, p.a_rows, p.b_rows, p.width);
  pack_straight(of_b ? p.b : p.a, terms, p.width, scratch.packed);
  multiply<C>({weights, of_b ? p.b_rows : 1, of_b ? 1 : p.b_rows, rows, p.width, terms, scratch.packed, sums,
               add, false},
              [](int64_t, int64_t, int64_t, int64_t) {});
}

template <class C>
void distance_weights_cpu(const C* distances, int64_t n, C* slopes) {
#pragma omp parallel for schedule(dynamic)
  for (int64_t i = 0; i < n; i += kProductPanel)
    for (int64_t j = 0; j <= i; j += kProductPanel)
      for (int64_t r = i; r < std::min(i + kProductPanel, n); ++r)
        for (int64_t c = j; c < std::min(j + kProductPanel, r); ++c) {
          C &here = slopes[r * n + c], &there = slopes[c * n + r];
          const C d = distances[r * n + c];
          here = there = d == 0 ? C{0} : -(here + there) / d;
        }
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < n; ++i) {
    C* row = slopes + i * n;
    row[i] = 0;
    C lanes[kLanes] = {};
    for (int64_t j = 0; j < n; ++j) lanes[j % kLanes] += row[j];
    C sum = 0;
    for (const C lane : lanes) sum += lane;
    row[i] = -sum;
  }
}

template <class C>
void product_weights_cpu(int64_t n, C* slopes) {
#pragma omp parallel for schedule(dynamic)
  for (int64_t i = 0; i < n; i += kProductPanel)
    for (int64_t j = 0; j <= i; j += kProductPanel)
      for (int64_t r = i; r < std::min(i + kProductPanel, n); ++r)
        for (int64_t c = j; c <= std::min(j + kProductPanel - 1, r); ++c)
          slopes[r * n + c] = slopes[c * n + r] = slopes[r * n + c] + slopes[c * n + r];
}

#define TYTO_INSTANTIATE(C)                                                                \
  template void row_products_cpu(const RowPairs<C>&, C*, void*);                           \
  template void row_distances_cpu(const RowPairs<C>&, C*, void*);                          \
  template void weighted_rows_cpu(const RowPairs<C>&, const C*, SumOver, bool, C*, void*); \
  template int64_t row_pairs_cpu_workspace<C>(int64_t, int64_t, int64_t);                  \
  template void distance_weights_cpu(const C*, int64_t, C*);                               \
  template void product_weights_cpu(int64_t, C*);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

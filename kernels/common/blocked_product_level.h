// The body of blocked_product_<level>.cpp, each of which defines TYTO_LEVEL, the namespace; TYTO_BYTES,
// of a vector; TYTO_ROWS, rows of a block. It is compiled with the level's instructions: nothing here
// may come from a header whose functions others share.
#include "kernels/common/blocked_product.h"

namespace tyto::kernels::TYTO_LEVEL {
namespace {

constexpr int kRows = TYTO_ROWS, kVectors = 2;

template <class C>
struct Of {
  static constexpr int64_t kLanes = TYTO_BYTES / sizeof(C);
  typedef C Vector __attribute__((vector_size(TYTO_BYTES)));
  typedef C AnyVector __attribute__((vector_size(TYTO_BYTES), aligned(alignof(C)), may_alias));
};

// Rows x Vectors registers of sums. Three rows of A share a pointer: the others are reached by the address's
// scaled index.
template <class C, int Rows, int Vectors>
void block(int64_t depth, const C* a, int64_t a_row, int64_t a_column, const C* b, int64_t b_row, C* c,
           int64_t c_row, bool accumulate) {
  using Vector = typename Of<C>::Vector;
  using AnyVector = typename Of<C>::AnyVector;
  constexpr int64_t kLanes = Of<C>::kLanes;
  constexpr int kPointers = (Rows + 2) / 3;
  const C* rows[kPointers];
#pragma GCC unroll 8
  for (int p = 0; p < kPointers; ++p) rows[p] = a + 3 * p * a_row;
  Vector sum[Rows][Vectors] = {};
  for (int64_t k = 0; k < depth; ++k, b += b_row) {
    Vector of_b[Vectors];
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) of_b[v] = *reinterpret_cast<const AnyVector*>(b + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const C of_a = rows[r / 3][(r % 3) * a_row];
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) sum[r][v] += of_a * of_b[v];
    }
#pragma GCC unroll 8
    for (int p = 0; p < kPointers; ++p) rows[p] += a_column;
  }
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      AnyVector* to = reinterpret_cast<AnyVector*>(c + r * c_row + v * kLanes);
      *to = accumulate ? *to + sum[r][v] : sum[r][v];
    }
}

template <class C>
using Block = void (*)(int64_t, const C*, int64_t, int64_t, const C*, int64_t, C*, int64_t, bool);

template <class C>
struct Blocks {
  Block<C> of[kRows][kVectors];

  template <int Rows>
  constexpr void fill() {
    of[Rows - 1][0] = block<C, Rows, 1>;
    of[Rows - 1][1] = block<C, Rows, 2>;
    if constexpr (Rows > 1) fill<Rows - 1>();
  }
  constexpr Blocks() : of{} { fill<kRows>(); }
};
template <class C>
constexpr Blocks<C> kBlocks;

// A block at the right edge of C: by way of whole vectors.
template <class C>
void edge(Block<C> of, int64_t rows, int64_t columns, const BlockedProduct<C>& p, const C* a, const C* b,
          C* c) {
  constexpr int64_t kWidth = kVectors * Of<C>::kLanes;
  C whole[kRows * kWidth];
  of(p.depth, a, p.a_row, p.a_column, b, p.b_row, whole, kWidth, false);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      C& to = c[i * p.c_row + j];
      to = p.accumulate ? to + whole[i * kWidth + j] : whole[i * kWidth + j];
    }
}

template <class C>
void multiply(const BlockedProduct<C>& p) {
  constexpr int64_t kLanes = Of<C>::kLanes;
  if (p.rows <= 0) return;
  const int64_t blocks = (p.rows + kRows - 1) / kRows;
  const int64_t height = (p.rows + blocks - 1) / blocks;  // of all but the last: as equal as they can be
  for (int64_t j = 0; j < p.columns; j += kVectors * kLanes) {
    const C* b = p.b + j / kProductPanel * p.b_panel + j % kProductPanel;
    const int64_t left = p.columns - j, columns = left < kVectors * kLanes ? left : kVectors * kLanes;
    const int64_t vectors = (columns + kLanes - 1) / kLanes;
    for (int64_t i = 0; i < p.rows; i += height) {
      const int64_t rows = p.rows - i < height ? p.rows - i : height;
      const C* a = p.a + i * p.a_row;
      C* c = p.c + i * p.c_row + j;
      const Block<C> of = kBlocks<C>.of[rows - 1][vectors - 1];
      if (columns == vectors * kLanes)
        of(p.depth, a, p.a_row, p.a_column, b, p.b_row, c, p.c_row, p.accumulate);
      else
        edge(of, rows, columns, p, a, b, c);
    }
  }
}

}  // namespace

void product(const BlockedProduct<float>& p) { multiply(p); }
void product(const BlockedProduct<double>& p) { multiply(p); }

}  // namespace tyto::kernels::TYTO_LEVEL

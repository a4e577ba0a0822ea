// Products of matrices that a kernel fuses with something: attention, pairwise distances, the best of many
// scores. The caller cuts its work into tiles that stay in a cache and does with a finished tile what it
// likes; plain products of networks are the engine's.
#pragma once

#include <cstdint>
#include <type_traits>

namespace tyto::kernels {

inline constexpr int64_t kProductPanel = 32;  // columns of B that stand together

// C = A B, or C += A B. A is read where it stands, by rows or by columns (either stride may be 1). B's rows
// are cut into panels of kProductPanel columns, of which each row is read whole up to the next multiple of 16
// columns: packed (row = kProductPanel), or a matrix whose rows are longer than that (panel = kProductPanel).
template <class C>
struct BlockedProduct {
  int64_t rows = 0, columns = 0, depth = 0;
  const C* a = nullptr;  // (i, k) at a[i * a_row + k * a_column]
  int64_t a_row = 0, a_column = 1;
  const C* b = nullptr;  // (k, j) at b[j / kProductPanel * b_panel + k * b_row + j % kProductPanel]
  int64_t b_row = kProductPanel, b_panel = 0;
  C* c = nullptr;  // (i, j) at c[i * c_row + j]; rows x columns are written, nothing beside them
  int64_t c_row = 0;
  bool accumulate = false;
};

// By the calling thread alone. An element is the sum of its products in the order of k, in its own type, to
// which C is added last; so its bits depend neither on the matrices' other elements nor on where it stands.
// With AVX2 and AVX-512 a product and its sum are rounded once: levels differ by rounding.
void blocked_product(const BlockedProduct<float>&);
void blocked_product(const BlockedProduct<double>&);

// One source, compiled for each level of instructions.
template <class C>
struct ProductLevel {
  const char* name;
  void (*product)(const BlockedProduct<C>&);
};
// Those that this CPU has, the best last; for tests. Returns how many.
template <class C>
int product_levels(ProductLevel<C> (&levels)[3]);

// Packs B: columns beyond the last are zeros up to the whole panel.
// packed  [ceil(columns / kProductPanel)][depth][kProductPanel], whose b_panel is depth * kProductPanel
int64_t packed_elements(int64_t depth, int64_t columns);
// from  (k, j) at from[k * stride + j]
template <class C>
void pack_rows(const C* from, int64_t stride, int64_t depth, int64_t columns, std::type_identity_t<C> factor,
               C* packed);
// from  (k, j) at from[j * stride + k]
template <class C>
void pack_columns(const C* from, int64_t stride, int64_t depth, int64_t columns,
                  std::type_identity_t<C> factor, C* packed);

}  // namespace tyto::kernels

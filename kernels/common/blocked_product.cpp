#include "kernels/common/blocked_product.h"

#include <algorithm>

#include "kernels/common/transpose_cpu.h"

namespace tyto::kernels {

namespace baseline {
void product(const BlockedProduct<float>&);
void product(const BlockedProduct<double>&);
}  // namespace baseline
namespace avx2 {
void product(const BlockedProduct<float>&);
void product(const BlockedProduct<double>&);
}  // namespace avx2
namespace avx512 {
void product(const BlockedProduct<float>&);
void product(const BlockedProduct<double>&);
}  // namespace avx512

namespace {

int64_t panels(int64_t columns) { return (columns + kProductPanel - 1) / kProductPanel; }

template <class C>
void (*best_product())(const BlockedProduct<C>&) {
  ProductLevel<C> levels[3];
  return levels[product_levels(levels) - 1].product;
}

}  // namespace

template <class C>
int product_levels(ProductLevel<C> (&levels)[3]) {
  int count = 0;
  levels[count++] = {"baseline", baseline::product};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    levels[count++] = {"AVX2", avx2::product};
  if (__builtin_cpu_supports("avx512f")) levels[count++] = {"AVX-512", avx512::product};
  return count;
}

void blocked_product(const BlockedProduct<float>& p) {
  static void (*const best)(const BlockedProduct<float>&) = best_product<float>();
  best(p);
}
void blocked_product(const BlockedProduct<double>& p) {
  static void (*const best)(const BlockedProduct<double>&) = best_product<double>();
  best(p);
}

int64_t packed_elements(int64_t depth, int64_t columns) { return panels(columns) * depth * kProductPanel; }

template <class C>
void pack_rows(const C* from, int64_t stride, int64_t depth, int64_t columns, std::type_identity_t<C> factor,
               C* packed) {
  for (int64_t j = 0; j < columns; j += kProductPanel) {
    const int64_t width = std::min(kProductPanel, columns - j);
    for (int64_t k = 0; k < depth; ++k, packed += kProductPanel) {
      const C* row = from + k * stride + j;
      if (width == kProductPanel)
        for (int64_t l = 0; l < kProductPanel; ++l) packed[l] = factor * row[l];
      else
        for (int64_t l = 0; l < kProductPanel; ++l) packed[l] = l < width ? factor * row[l] : C{0};
    }
  }
}

template <class C>
void pack_columns(const C* from, int64_t stride, int64_t depth, int64_t columns,
                  std::type_identity_t<C> factor, C* packed) {
  for (int64_t j = 0; j < columns; j += kProductPanel, packed += depth * kProductPanel) {
    const int64_t width = std::min(kProductPanel, columns - j);
    if (width < kProductPanel)
      for (int64_t k = 0; k < depth; ++k) std::fill_n(packed + k * kProductPanel, kProductPanel, C{0});
    transpose(from + j * stride, stride, width, depth, factor, packed, kProductPanel);
  }
}

#define TYTO_INSTANTIATE(C)                                            \
  template int product_levels(ProductLevel<C>(&)[3]);                  \
  template void pack_rows(const C*, int64_t, int64_t, int64_t, C, C*); \
  template void pack_columns(const C*, int64_t, int64_t, int64_t, C, C*);
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(double)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

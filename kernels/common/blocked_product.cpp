#include "kernels/common/blocked_product.h"

#include <algorithm>

#include "kernels/common/transpose_cpu.h"

namespace tyto::kernels {

namespace baseline {
void product(const BlockedProduct&);
}
namespace avx2 {
void product(const BlockedProduct&);
}
namespace avx512 {
void product(const BlockedProduct&);
}

namespace {

int64_t panels(int64_t columns) { return (columns + kProductPanel - 1) / kProductPanel; }

void (*best_product())(const BlockedProduct&) {
  ProductLevel levels[3];
  return levels[product_levels(levels) - 1].product;
}

}  // namespace

int product_levels(ProductLevel (&levels)[3]) {
  int count = 0;
  levels[count++] = {"baseline", baseline::product};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    levels[count++] = {"AVX2", avx2::product};
  if (__builtin_cpu_supports("avx512f")) levels[count++] = {"AVX-512", avx512::product};
  return count;
}

void blocked_product(const BlockedProduct& p) {
  static void (*const best)(const BlockedProduct&) = best_product();
  best(p);
}

int64_t packed_floats(int64_t depth, int64_t columns) { return panels(columns) * depth * kProductPanel; }

void pack_rows(const float* from, int64_t stride, int64_t depth, int64_t columns, float factor,
               float* packed) {
  for (int64_t j = 0; j < columns; j += kProductPanel) {
    const int64_t width = std::min(kProductPanel, columns - j);
    for (int64_t k = 0; k < depth; ++k, packed += kProductPanel) {
      const float* row = from + k * stride + j;
      if (width == kProductPanel)
        for (int64_t l = 0; l < kProductPanel; ++l) packed[l] = factor * row[l];
      else
        for (int64_t l = 0; l < kProductPanel; ++l) packed[l] = l < width ? factor * row[l] : 0;
    }
  }
}

void pack_columns(const float* from, int64_t stride, int64_t depth, int64_t columns, float factor,
                  float* packed) {
  for (int64_t j = 0; j < columns; j += kProductPanel, packed += depth * kProductPanel) {
    const int64_t width = std::min(kProductPanel, columns - j);
    if (width < kProductPanel)
      for (int64_t k = 0; k < depth; ++k) std::fill_n(packed + k * kProductPanel, kProductPanel, 0.0f);
    transpose(from + j * stride, stride, width, depth, factor, packed, kProductPanel);
  }
}

}  // namespace tyto::kernels

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/losses/row_products.h"

namespace tyto::kernels {
namespace {

template <class C>
C dot(const C* a, const C* b, int64_t width) {
  C sum = 0;
  for (int64_t k = 0; k < width; ++k) sum += a[k] * b[k];
  return sum;
}

template <class C>
C distance(const C* a, const C* b, int64_t width) {
  C sum = 0;
  for (int64_t k = 0; k < width; ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
  return std::sqrt(sum);
}

template <class C, class Measure>
void measure(const RowPairs<C>& p, const Measure& of, C* to) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < p.a_rows; ++i)
    for (int64_t j = 0; j < p.b_rows; ++j)
      to[i * p.b_rows + j] = of(p.a + i * p.width, p.b + j * p.width, p.width);
}

}  // namespace

template <class C>
void row_products_cpu(const RowPairs<C>& pairs, C* products, void*) {
  measure(pairs, dot<C>, products);
}

template <class C>
void row_distances_cpu(const RowPairs<C>& pairs, C* distances, void*) {
  measure(pairs, distance<C>, distances);
}

template <class C>
void weighted_rows_cpu(const RowPairs<C>& p, const C* weights, SumOver over, bool add, C* sums, void*) {
  const bool of_b = over == SumOver::B;
  const int64_t rows = of_b ? p.a_rows : p.b_rows, terms = of_b ? p.b_rows : p.a_rows;
  const int64_t row_step = of_b ? p.b_rows : 1, term_step = of_b ? 1 : p.b_rows;
  const C* from = of_b ? p.b : p.a;
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rows; ++i) {
    C* sum = sums + i * p.width;
    if (!add) std::fill_n(sum, p.width, C{0});
    for (int64_t j = 0; j < terms; ++j) {
      const C weight = weights[i * row_step + j * term_step];
      for (int64_t k = 0; k < p.width; ++k) sum[k] += weight * from[j * p.width + k];
    }
  }
}

template <class C>
int64_t row_pairs_cpu_workspace(int64_t, int64_t, int64_t) {
  return 0;
}

template <class C>
void distance_weights_cpu(const C* distances, int64_t n, C* slopes) {
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < i; ++j) {
      const C d = distances[i * n + j];
      const C weight = d == 0 ? C{0} : -(slopes[i * n + j] + slopes[j * n + i]) / d;
      slopes[i * n + j] = slopes[j * n + i] = weight;
    }
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < n; ++i) {
    C sum = 0;
    for (int64_t j = 0; j < n; ++j)
      if (j != i) sum += slopes[i * n + j];
    slopes[i * n + i] = -sum;
  }
}

template <class C>
void product_weights_cpu(int64_t n, C* slopes) {
  for (int64_t i = 0; i < n; ++i) {
    slopes[i * n + i] *= 2;
    for (int64_t j = 0; j < i; ++j)
      slopes[i * n + j] = slopes[j * n + i] = slopes[i * n + j] + slopes[j * n + i];
  }
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

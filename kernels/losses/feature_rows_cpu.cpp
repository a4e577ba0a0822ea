#include "kernels/losses/feature_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/common/host_elements.h"
#include "kernels/common/multiversion.h"

namespace tyto::kernels {
namespace {

constexpr int kLanes = 32;  // partial sums

// The upper half joins the lower half until one is left.
template <class C>
[[gnu::always_inline]] inline C sum_of_lanes(C* lanes) {
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  return lanes[0];
}

// sum a_j b_j, in A.
template <class A, class C>
[[gnu::always_inline]] inline A dot(const C* a, const C* b, int64_t width) {
  A lanes[kLanes] = {};
  const int64_t whole = width / kLanes * kLanes;
  for (int64_t j = 0; j < whole; j += kLanes)
    for (int l = 0; l < kLanes; ++l) lanes[l] += static_cast<A>(a[j + l]) * static_cast<A>(b[j + l]);
  for (int64_t j = whole; j < width; ++j) lanes[j - whole] += static_cast<A>(a[j]) * static_cast<A>(b[j]);
  return sum_of_lanes(lanes);
}

template <class C>
[[gnu::always_inline]] inline bool all_finite(const C* a, int64_t width) {
  int bad = 0;
  for (int64_t j = 0; j < width; ++j) bad |= !(std::abs(a[j]) <= std::numeric_limits<C>::max());
  return bad == 0;
}

// A row, already in its place, to unit length. Returns its length; NaN for a row that is not finite.
template <class C>
[[gnu::always_inline]] inline C to_unit(C* row, int64_t width, double added_length) {
  const double length = std::sqrt(dot<double>(row, row, width));
  if (!all_finite(row, width)) return std::numeric_limits<C>::quiet_NaN();
  const C divisor = static_cast<C>(length + added_length);
  if (length <= RowsAs::kLeastLength)
    std::fill_n(row, width, C{0});
  else
    for (int64_t j = 0; j < width; ++j) row[j] /= divisor;
  return static_cast<C>(length);
}

#define TYTO_OF(C)                                                                                   \
  TYTO_MULTIVERSION C unit(C* row, int64_t width, double added_length) {                             \
    return to_unit(row, width, added_length);                                                        \
  }                                                                                                  \
  TYTO_MULTIVERSION bool finite(const C* row, int64_t width) { return all_finite(row, width); }      \
  TYTO_MULTIVERSION C product(const C* a, const C* b, int64_t width) { return dot<C>(a, b, width); } \
  TYTO_MULTIVERSION void combine(C of_a, const C* a, C of_b, const C* b, int64_t width, C* to) {     \
    for (int64_t j = 0; j < width; ++j) to[j] = of_a * a[j] - of_b * b[j];                           \
  }
TYTO_OF(double)
TYTO_OF(float)
#undef TYTO_OF

void join(LossStatus* found, LossStatus status) {
#pragma omp critical(tyto_loss_status)
  *found = std::max(*found, status);
}

}  // namespace

template <class T>
void load_rows_cpu(const T* from, int64_t rows, int64_t width, const RowsAs& as, LossInput input,
                   Computed<T>* to, Computed<T>* lengths, LossStatus* found) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rows; ++i) {
    Computed<T>* row = to + i * width;
    for (int64_t j = 0; j < width; ++j) row[j] = host_element(from, i * width + j);
    bool sound;
    if (as.unit) {
      lengths[i] = unit(row, width, as.added_length);
      sound = std::isfinite(lengths[i]);
    } else {
      sound = finite(row, width);
    }
    if (!sound) join(found, loss_status(LossFault::NotFinite, input, i));
  }
}

template <class T>
void store_row_gradients_cpu(const Computed<T>* gradients, const Computed<T>* x, const Computed<T>* lengths,
                             int64_t rows, int64_t width, const RowsAs& as, double scale,
                             const LossStatus* found, T* to) {
  using C = Computed<T>;
  const bool fault = *found != 0;  // then every product with NaN is one
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rows; ++i) {
    const C *gradient = gradients + i * width, *row = x + i * width;
    const C by = fault ? std::numeric_limits<C>::quiet_NaN() : static_cast<C>(scale);
    C across = by, back = fault ? by : C{0};
    if (as.unit && !fault) {
      const bool zero = lengths[i] <= static_cast<C>(RowsAs::kLeastLength);
      across = zero ? C{0} : by / (lengths[i] + static_cast<C>(as.added_length));
      back = zero ? C{0} : by * product(gradient, row, width) / lengths[i];
    }
    if constexpr (std::is_same_v<T, C>)
      combine(across, gradient, back, row, width, to + i * width);
    else
      for (int64_t j = 0; j < width; ++j)
        set_host_element(to, i * width + j, across * gradient[j] - back * row[j]);
  }
}

void check_labels_cpu(const int32_t* labels, int64_t rows, int64_t classes, LossInput input,
                      LossStatus* found) {
  for (int64_t i = 0; i < rows; ++i)
    if (labels[i] < 0 || (classes != 0 && labels[i] >= classes))
      return join(found, loss_status(LossFault::Label, input, i));
}

template <class C>
void finish_loss_cpu(const LossStatus* found, C* values, int64_t count, LossStatus* status) {
  if (*found == 0) return;
  std::fill_n(values, count, std::numeric_limits<C>::quiet_NaN());
  if (status != nullptr) *status = std::max(*status, *found);
}

#define TYTO_INSTANTIATE(T)                                                                                  \
  template void load_rows_cpu(const T*, int64_t, int64_t, const RowsAs&, LossInput, Computed<T>*,            \
                              Computed<T>*, LossStatus*);                                                    \
  template void store_row_gradients_cpu(const Computed<T>*, const Computed<T>*, const Computed<T>*, int64_t, \
                                        int64_t, const RowsAs&, double, const LossStatus*, T*);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE
template void finish_loss_cpu(const LossStatus*, double*, int64_t, LossStatus*);
template void finish_loss_cpu(const LossStatus*, float*, int64_t, LossStatus*);

}  // namespace tyto::kernels

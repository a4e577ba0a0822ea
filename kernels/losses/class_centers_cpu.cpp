#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/common/host_elements.h"
#include "kernels/common/multiversion.h"
#include "kernels/losses/class_centers_math.h"

namespace tyto::kernels {
namespace {

#define TYTO_OF(C)                                                                                   \
  TYTO_MULTIVERSION void add(const C* from, int64_t width, C* to) {                                  \
    for (int64_t j = 0; j < width; ++j) to[j] += from[j];                                            \
  }                                                                                                  \
  TYTO_MULTIVERSION void scale(const C* from, C by, int64_t width, C* to) {                          \
    for (int64_t j = 0; j < width; ++j) to[j] = by * from[j];                                        \
  }                                                                                                  \
  TYTO_MULTIVERSION bool finite(const C* row, int64_t width) {                                       \
    int bad = 0;                                                                                     \
    for (int64_t j = 0; j < width; ++j) bad |= !(std::abs(row[j]) <= std::numeric_limits<C>::max()); \
    return bad == 0;                                                                                 \
  }
TYTO_OF(double)
TYTO_OF(float)
#undef TYTO_OF

}  // namespace

void group_rows_cpu(const int32_t* labels, const int32_t* modalities, int64_t rows, const RowGroups& groups) {
  uint64_t* sorted = groups.sorted;
  for (int64_t i = 0; i < rows; ++i) sorted[i] = group_key(labels[i], modalities ? modalities[i] : 0, i);
  std::sort(sorted, sorted + rows);
  int32_t count = 0;
  for (int64_t i = 0; i < rows; ++i) {
    if (i == 0 || !same_group(sorted[i - 1], sorted[i])) {
      groups.labels[count] = label_of_key(sorted[i]);
      groups.begins[count++] = static_cast<int32_t>(i);
    }
    groups.members[i] = row_of_key(sorted[i]);
    groups.group_of[groups.members[i]] = count - 1;
  }
  groups.begins[count] = static_cast<int32_t>(rows);
  *groups.count = count;
}

template <class C>
void mean_rows_cpu(const C* x, const RowGroups& groups, int64_t width, C* centers) {
#pragma omp parallel for schedule(static)
  for (int32_t g = 0; g < *groups.count; ++g) {
    const int32_t begin = groups.begins[g], end = groups.begins[g + 1];
    C* center = centers + g * width;
    std::copy_n(x + groups.members[begin] * width, width, center);
    for (int32_t i = begin + 1; i < end; ++i) add(x + groups.members[i] * width, width, center);
    for (int64_t j = 0; j < width; ++j) center[j] /= static_cast<C>(end - begin);
  }
}

template <class C>
void spread_mean_gradients_cpu(const C* center_gradients, const RowGroups& groups, int64_t rows,
                               int64_t width, C* gradients) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rows; ++i) {
    const int32_t g = groups.group_of[i];
    scale(center_gradients + g * width, C{1} / static_cast<C>(groups.begins[g + 1] - groups.begins[g]), width,
          gradients + i * width);
  }
}

template <class T>
void gather_centers_cpu(const T* learned, int64_t classes, const RowGroups& groups, int64_t width,
                        Computed<T>* centers, LossStatus* found) {
  using C = Computed<T>;
  for (int32_t g = 0; g < *groups.count; ++g) {
    const int64_t label = groups.labels[g];
    C* center = centers + g * width;
    if (label >= classes) {  // a fault already
      std::fill_n(center, width, C{0});
      continue;
    }
    for (int64_t j = 0; j < width; ++j) center[j] = host_element(learned, label * width + j);
    if (!finite(center, width))
      *found = std::max(*found, loss_status(LossFault::NotFinite, LossInput::Centers, label));
  }
}

template <class T>
void scatter_center_gradients_cpu(const Computed<T>* center_gradients, const RowGroups& groups,
                                  int64_t classes, int64_t width, double scale, const LossStatus* found,
                                  T* to) {
  using C = Computed<T>;
  const C by = *found != 0 ? std::numeric_limits<C>::quiet_NaN() : static_cast<C>(scale);
#pragma omp parallel for schedule(static)
  for (int64_t label = 0; label < classes; ++label) {
    const int32_t g = find_group(groups, static_cast<int32_t>(label));
    for (int64_t j = 0; j < width; ++j)
      set_host_element(to, label * width + j, by * (g < 0 ? C{0} : center_gradients[g * width + j]));
  }
}

#define TYTO_INSTANTIATE(C)                                             \
  template void mean_rows_cpu(const C*, const RowGroups&, int64_t, C*); \
  template void spread_mean_gradients_cpu(const C*, const RowGroups&, int64_t, int64_t, C*);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
#undef TYTO_INSTANTIATE

#define TYTO_INSTANTIATE(T)                                                                                  \
  template void gather_centers_cpu(const T*, int64_t, const RowGroups&, int64_t, Computed<T>*, LossStatus*); \
  template void scatter_center_gradients_cpu(const Computed<T>*, const RowGroups&, int64_t, int64_t, double, \
                                             const LossStatus*, T*);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

#include <algorithm>

#include "kernels/common/host_elements.h"
#include "kernels/common/multiversion.h"
#include "kernels/losses/center_loss_memory.h"

namespace tyto::kernels {
namespace {

constexpr int kLanes = 32;  // partial sums

// to = a - b; returns its square, summed.
template <class C>
[[gnu::always_inline]] inline C difference(const C* a, const C* b, int64_t width, C* to) {
  C lanes[kLanes] = {};
  const int64_t whole = width / kLanes * kLanes;
  for (int64_t j = 0; j < whole; j += kLanes)
    for (int l = 0; l < kLanes; ++l) {
      to[j + l] = a[j + l] - b[j + l];
      lanes[l] += to[j + l] * to[j + l];
    }
  for (int64_t j = whole; j < width; ++j) {
    to[j] = a[j] - b[j];
    lanes[j - whole] += to[j] * to[j];
  }
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  return lanes[0];
}

#define TYTO_OF(C)                                                                      \
  TYTO_MULTIVERSION C subtract(const C* a, const C* b, int64_t width, C* to) {          \
    return difference(a, b, width, to);                                                 \
  }                                                                                     \
  TYTO_MULTIVERSION void add_difference(const C* a, const C* b, int64_t width, C* to) { \
    for (int64_t j = 0; j < width; ++j) to[j] += a[j] - b[j];                           \
  }
TYTO_OF(double)
TYTO_OF(float)
#undef TYTO_OF

// Checks and loads features and the centres of their classes.
template <class T>
CenterLossMemory<Computed<T>> load(const LabelledRows<T>& in, const T* centers, int64_t classes,
                                   const RowsAs& as, void* workspace) {
  Workspace pieces(workspace);
  const CenterLossMemory<Computed<T>> m(pieces, in.rows, in.width);
  *m.found = 0;
  check_labels_cpu(in.labels, in.rows, classes, LossInput::Labels, m.found);
  load_rows_cpu(in.values, in.rows, in.width, as, LossInput::Features, m.x, m.lengths, m.found);
  group_rows_cpu(in.labels, nullptr, in.rows, m.groups);
  gather_centers_cpu(centers, classes, m.groups, in.width, m.centers, m.found);
  return m;
}

// center_gradients = sum over members of c - x.
template <class C>
void sum_differences(const CenterLossMemory<C>& m, int64_t width) {
#pragma omp parallel for schedule(static)
  for (int32_t g = 0; g < *m.groups.count; ++g) {
    C* sum = m.center_gradients + g * width;
    std::fill_n(sum, width, C{0});
    for (int32_t i = m.groups.begins[g]; i < m.groups.begins[g + 1]; ++i)
      add_difference(m.centers + g * width, m.x + m.groups.members[i] * width, width, sum);
  }
}

}  // namespace

template <class T>
int64_t center_loss_cpu_workspace(int64_t rows, int64_t width) {
  Workspace measured;
  CenterLossMemory<Computed<T>>(measured, rows, width);
  return measured.bytes();
}

template <class T>
void center_loss_cpu(const LabelledRows<T>& in, const LearnedCenters<T>& centers, const CenterLoss& p,
                     const LossOutput<T>& out, void* workspace) {
  using C = Computed<T>;
  const int64_t n = in.rows, width = in.width;
  const RowsAs as{.unit = p.normalize};
  const CenterLossMemory<C> m = load(in, centers.values, centers.classes, as, workspace);
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < n; ++i)
    m.values[i] =
        subtract(m.x + i * width, m.centers + m.groups.group_of[i] * width, width, m.gradients + i * width);
  double value = 0;
  for (int64_t i = 0; i < n; ++i) value += static_cast<double>(m.values[i]);
  *out.value = static_cast<C>(value / 2);
  finish_loss_cpu(m.found, out.value, 1, out.status);
  if (centers.gradient != nullptr) {
    sum_differences(m, width);
    scatter_center_gradients_cpu(m.center_gradients, m.groups, centers.classes, width, out.scale, m.found,
                                 centers.gradient);
  }
  if (out.gradient != nullptr)
    store_row_gradients_cpu(m.gradients, m.x, m.lengths, n, width, as, out.scale, m.found, out.gradient);
}

template <class T>
void update_centers_cpu(const LabelledRows<T>& in, const UpdateCenters& p, int64_t classes, T* centers,
                        LossStatus* status, void* workspace) {
  using C = Computed<T>;
  const CenterLossMemory<C> m = load<T>(in, centers, classes, {.unit = p.normalize}, workspace);
  finish_loss_cpu<C>(m.found, nullptr, 0, status);
  if (*m.found != 0) return;
  sum_differences(m, in.width);
  for (int32_t g = 0; g < *m.groups.count; ++g) {
    const int64_t from = g * in.width, to = m.groups.labels[g] * in.width;
    const C by = static_cast<C>(p.rate / (1 + m.groups.begins[g + 1] - m.groups.begins[g]));
    for (int64_t j = 0; j < in.width; ++j)
      set_host_element(centers, to + j, m.centers[from + j] - by * m.center_gradients[from + j]);
  }
}

#define TYTO_INSTANTIATE(T)                                                                                \
  template int64_t center_loss_cpu_workspace<T>(int64_t, int64_t);                                         \
  template void center_loss_cpu(const LabelledRows<T>&, const LearnedCenters<T>&, const CenterLoss&,       \
                                const LossOutput<T>&, void*);                                              \
  template void update_centers_cpu(const LabelledRows<T>&, const UpdateCenters&, int64_t, T*, LossStatus*, \
                                   void*);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

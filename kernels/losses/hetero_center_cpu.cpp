#include <algorithm>

#include "kernels/common/multiversion.h"
#include "kernels/losses/hetero_center_math.h"
#include "kernels/losses/hetero_center_memory.h"

namespace tyto::kernels {
namespace {

constexpr int kLanes = 16;  // partial sums

template <class C>
[[gnu::always_inline]] inline CenterTerms<C> sum_terms(CenterDistance kind, const C* a, const C* b,
                                                       int64_t width) {
  CenterTerms<C> lanes[kLanes] = {};
  const auto add = [&](int64_t j, CenterTerms<C> & sum) __attribute__((always_inline)) {
    const CenterTerms<C> terms = center_terms(kind, a[j], b[j]);
    sum = {sum.first + terms.first, sum.second + terms.second, sum.third + terms.third};
  };
  for (int64_t j = 0; j < width; ++j) add(j, lanes[j % kLanes]);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l)
      lanes[l] = {lanes[l].first + lanes[l + half].first, lanes[l].second + lanes[l + half].second,
                  lanes[l].third + lanes[l + half].third};
  return lanes[0];
}

// The gradients of both centres, [width].
template <class C>
[[gnu::always_inline]] inline void differentiate(const CentersApart<C>& apart, const C* a, const C* b,
                                                 int64_t width, C* of_a, C* of_b) {
  for (int64_t j = 0; j < width; ++j) {
    const C sign = apart.of_sign * sign_of(a[j] - b[j]);
    of_a[j] = apart.a_of_a * a[j] + apart.a_of_b * b[j] + sign;
    of_b[j] = apart.b_of_a * a[j] + apart.b_of_b * b[j] - sign;
  }
}

#define TYTO_OF(C)                                                                                      \
  TYTO_MULTIVERSION CenterTerms<C> terms(CenterDistance kind, const C* a, const C* b, int64_t width) {  \
    return sum_terms(kind, a, b, width);                                                                \
  }                                                                                                     \
  TYTO_MULTIVERSION void gradients(const CentersApart<C>& apart, const C* a, const C* b, int64_t width, \
                                   C* of_a, C* of_b) {                                                  \
    differentiate(apart, a, b, width, of_a, of_b);                                                      \
  }
TYTO_OF(double)
TYTO_OF(float)
#undef TYTO_OF

}  // namespace

template <class T>
int64_t hetero_center_loss_cpu_workspace(int64_t rows, int64_t width) {
  Workspace measured;
  HeteroCenterMemory<Computed<T>>(measured, rows, width);
  return measured.bytes();
}

template <class T>
void hetero_center_loss_cpu(const LabelledRows<T>& in, const int32_t* modalities, const HeteroCenterLoss& p,
                            const LossOutput<T>& out, void* workspace) {
  using C = Computed<T>;
  const int64_t n = in.rows, width = in.width;
  Workspace pieces(workspace);
  const HeteroCenterMemory<C> m(pieces, n, width);
  const RowsAs as{.unit = false};
  *m.found = 0;
  check_labels_cpu(in.labels, n, 0, LossInput::Labels, m.found);
  check_labels_cpu(modalities, n, 2, LossInput::Modalities, m.found);
  load_rows_cpu<T>(in.values, n, width, as, LossInput::Features, m.x, nullptr, m.found);
  group_rows_cpu(in.labels, modalities, n, m.groups);
  mean_rows_cpu(m.x, m.groups, width, m.centers);
  const int32_t count = *m.groups.count;
  std::fill_n(m.values, count, C{0});
  std::fill_n(m.center_gradients, count * width, C{0});
#pragma omp parallel for schedule(static)
  for (int32_t visible = 0; visible < count; ++visible) {
    const int32_t thermal = other_modality(m.groups, count, visible);
    if (thermal == 0) continue;
    const C *a = m.centers + visible * width, *b = m.centers + thermal * width;
    const CentersApart<C> apart = centers_apart(p.distance, terms(p.distance, a, b, width), width);
    if (!(apart.distance > static_cast<C>(p.margin))) continue;
    m.values[visible] = apart.distance - static_cast<C>(p.margin);
    gradients(apart, a, b, width, m.center_gradients + visible * width, m.center_gradients + thermal * width);
  }
  double value = 0;
  for (int32_t g = 0; g < count; ++g) value += static_cast<double>(m.values[g]);
  *out.value = static_cast<C>(value);
  finish_loss_cpu(m.found, out.value, 1, out.status);
  if (out.gradient == nullptr) return;
  spread_mean_gradients_cpu(m.center_gradients, m.groups, n, width, m.gradients);
  store_row_gradients_cpu<T>(m.gradients, m.x, nullptr, n, width, as, out.scale, m.found, out.gradient);
}

#define TYTO_INSTANTIATE(T)                                                                             \
  template int64_t hetero_center_loss_cpu_workspace<T>(int64_t, int64_t);                               \
  template void hetero_center_loss_cpu(const LabelledRows<T>&, const int32_t*, const HeteroCenterLoss&, \
                                       const LossOutput<T>&, void*);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

#include <algorithm>

#include "kernels/common/multiversion.h"
#include "kernels/common/workspace.h"
#include "kernels/losses/feature_rows.h"
#include "kernels/losses/softmax_row.h"
#include "kernels/losses/symmetric_kl.h"
#include "kernels/losses/symmetric_kl_math.h"

namespace tyto::kernels {
namespace {

template <class T>
struct RowGradients {
  T *first, *second;  // either may be null
};

// KL(p || q) + KL(q || p) of a row; by * its gradients. NaN where either view is not finite.
template <class T>
[[gnu::always_inline]] inline Computed<T> take_row(const T* first, const T* second, int64_t classes,
                                                   Computed<T> by, const RowGradients<T>& gradients) {
  using C = Computed<T>;
  const C largest = largest_logit(first, classes), other = largest_logit(second, classes);
  const ViewRow<C> row(largest, sum_of_exponentials(first, classes, largest), other,
                       sum_of_exponentials(second, classes, other));
  C boths[kRowBlock] = {}, p_to_qs[kRowBlock] = {};
  for_each_block(
      first, classes, [&](const auto& of, int64_t begin, int count) __attribute__((always_inline)) {
        for (int l = 0; l < count; ++l) {
          const ViewShares<C> s = row.shares(of(l), host_element(second, begin + l));
          boths[l] += s.both();
          p_to_qs[l] += s.p * s.r;
        }
      });
  const C both = sum_of_block(boths), p_to_q = sum_of_block(p_to_qs);
  if (gradients.first != nullptr || gradients.second != nullptr)
    for (int64_t j = 0; j < classes; ++j) {
      const ViewShares<C> s = row.shares(host_element(first, j), host_element(second, j));
      if (gradients.first != nullptr) set_host_element(gradients.first, j, by * s.first_slope(p_to_q));
      if (gradients.second != nullptr)
        set_host_element(gradients.second, j, by * s.second_slope(both - p_to_q));
    }
  return both;
}

#define TYTO_OF(T)                                                                                 \
  TYTO_MULTIVERSION Computed<T> row_divergence(const T* first, const T* second, int64_t classes,   \
                                               Computed<T> by, const RowGradients<T>& gradients) { \
    return take_row(first, second, classes, by, gradients);                                        \
  }
TYTO_OF(double)
TYTO_OF(float)
TYTO_OF(Half)
TYTO_OF(BFloat16)
#undef TYTO_OF

struct Memory {
  LossStatus* found;
  double* divergences;  // [rows]

  Memory(Workspace& workspace, int64_t rows)
      : found(workspace.take<LossStatus>(1)), divergences(workspace.take<double>(rows)) {}
};

}  // namespace

template <class T>
void symmetric_kl_cpu(const TwoViews<T>& in, const LossOutput<T>& out, void* memory) {
  using C = Computed<T>;
  Workspace workspace(memory);
  const Memory m(workspace, in.rows);
  const C by = static_cast<C>(out.scale / (2 * static_cast<double>(in.rows)));
  const auto row_of = [&](auto* values, int64_t i) {
    return values == nullptr ? nullptr : host_address(values, i * in.classes);
  };
  LossStatus found = 0;
#pragma omp parallel for schedule(static) reduction(max : found)
  for (int64_t i = 0; i < in.rows; ++i) {
    const T *first = row_of(in.first, i), *second = row_of(in.second, i);
    const C both = row_divergence(first, second, in.classes, by,
                                  {row_of(out.gradient, i), row_of(in.second_gradient, i)});
    m.divergences[i] = static_cast<double>(both);
    if (both == both) continue;
    const C of_first = largest_logit(first, in.classes);
    const LossInput input = of_first != of_first ? LossInput::Logits : LossInput::TeacherLogits;
    found = std::max(found, loss_status(LossFault::NotFinite, input, i));
  }
  *m.found = found;
  *out.value = static_cast<C>(sum_of_row(m.divergences, in.rows) / (2 * static_cast<double>(in.rows)));
  finish_loss_cpu(m.found, out.value, 1, out.status);
}

template <class T>
int64_t symmetric_kl_cpu_workspace(int64_t rows) {
  Workspace workspace;
  const Memory measured(workspace, rows);
  return workspace.bytes();
}

#define TYTO_INSTANTIATE(T)                                                        \
  template void symmetric_kl_cpu(const TwoViews<T>&, const LossOutput<T>&, void*); \
  template int64_t symmetric_kl_cpu_workspace<T>(int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

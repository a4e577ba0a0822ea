#include <algorithm>

#include "kernels/common/multiversion.h"
#include "kernels/common/workspace.h"
#include "kernels/losses/cross_entropy.h"
#include "kernels/losses/cross_entropy_math.h"
#include "kernels/losses/feature_rows.h"
#include "kernels/losses/softmax_row.h"

namespace tyto::kernels {
namespace {

// The loss of a row and by * its gradient, which may be null; NaN where the row is not finite.
template <class T>
[[gnu::always_inline]] inline Computed<T> take_row(const T* logits, int64_t classes, int32_t label,
                                                   const SmoothedTarget<Computed<T>>& target, Computed<T> by,
                                                   T* gradient) {
  using C = Computed<T>;
  const C largest = largest_logit(logits, classes);
  const C sum = sum_of_exponentials(logits, classes, largest);
  const C z_label = host_element(logits, label) - largest;
  C z_sums[kRowBlock] = {};
  if (target.each != 0)
    for_each_block(
        logits, classes, [&](const auto& of, int64_t, int count) __attribute__((always_inline)) {
          for (int l = 0; l < count; ++l) z_sums[l] += of(l) - largest;
        });
  if (gradient != nullptr) {
    const C share = by / sum, each = by * target.each;
    for_each_block(
        logits, classes, [&](const auto& of, int64_t first, int count) __attribute__((always_inline)) {
          C slopes[kRowBlock];
          for (int l = 0; l < kRowBlock; ++l) slopes[l] = exp_of(of(l) - largest) * share - each;
          for (int l = 0; l < count; ++l) set_host_element(gradient, first + l, slopes[l]);
        });
    set_host_element(gradient, label, exp_of(z_label) * share - each - by * target.label);
  }
  return smoothed_loss(target, log_of(sum), z_label, sum_of_block(z_sums));
}

#define TYTO_OF(T)                                                                                  \
  TYTO_MULTIVERSION Computed<T> row_loss(const T* logits, int64_t classes, int32_t label,           \
                                         const SmoothedTarget<Computed<T>>& target, Computed<T> by, \
                                         T* gradient) {                                             \
    return take_row(logits, classes, label, target, by, gradient);                                  \
  }
TYTO_OF(double)
TYTO_OF(float)
TYTO_OF(Half)
TYTO_OF(BFloat16)
#undef TYTO_OF

struct Memory {
  LossStatus* found;
  double* losses;  // [parts, rows]

  Memory(Workspace& workspace, int64_t rows)
      : found(workspace.take<LossStatus>(1)), losses(workspace.take<double>(rows)) {}
};

}  // namespace

template <class T>
void cross_entropy_cpu(const LabelledRows<T>& in, const CrossEntropy& loss, const LossOutput<T>& out,
                       void* memory) {
  using C = Computed<T>;
  Workspace workspace(memory);
  const int64_t rows = loss.parts * in.rows;
  const Memory m(workspace, rows);
  const SmoothedTarget<C> target(loss.smoothing, in.width);
  const bool ignores = loss.ignored_label.has_value();
  const int32_t ignored = loss.ignored_label.value_or(0);
  const int64_t counted = in.rows - (ignores ? std::count(in.labels, in.labels + in.rows, ignored) : 0);
  const C by = static_cast<C>(out.scale / static_cast<double>(counted));
  constexpr C kNan = std::numeric_limits<C>::quiet_NaN();
  LossStatus found = 0;
#pragma omp parallel for schedule(static) reduction(max : found)
  for (int64_t i = 0; i < rows; ++i) {
    const int32_t label = in.labels[i % in.rows];
    const LabelUse use = use_of_label(label, in.width, ignores, ignored);
    T* gradient = out.gradient == nullptr ? nullptr : host_address(out.gradient, i * in.width);
    m.losses[i] = 0;
    if (use == LabelUse::Counts) {
      const C of_row = row_loss(host_address(in.values, i * in.width), in.width, label, target, by, gradient);
      m.losses[i] = static_cast<double>(of_row);
      if (of_row != of_row) found = std::max(found, loss_status(LossFault::NotFinite, LossInput::Logits, i));
    } else {
      if (use == LabelUse::OutOfRange)
        found = std::max(found, loss_status(LossFault::Label, LossInput::Labels, i % in.rows));
      if (gradient != nullptr) fill_row(gradient, in.width, use == LabelUse::Ignored ? C{0} : kNan);
    }
  }
  *m.found = found;
  *out.value = static_cast<C>(sum_of_row(m.losses, rows) / static_cast<double>(counted));
  finish_loss_cpu(m.found, out.value, 1, out.status);
}

template <class T>
int64_t cross_entropy_cpu_workspace(int64_t rows, int64_t parts) {
  Workspace workspace;
  const Memory measured(workspace, rows * parts);
  return workspace.bytes();
}

#define TYTO_INSTANTIATE(T)                                                                                  \
  template void cross_entropy_cpu(const LabelledRows<T>&, const CrossEntropy&, const LossOutput<T>&, void*); \
  template int64_t cross_entropy_cpu_workspace<T>(int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

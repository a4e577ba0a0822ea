#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/common/host_elements.h"
#include "kernels/common/multiversion.h"
#include "kernels/losses/multibox_distillation_math.h"
#include "kernels/losses/workspace.h"

namespace tyto::kernels {
namespace {

constexpr int64_t kRows = 64;  // one thread's at a time
constexpr int kLanes = 16;     // partial sums

// of(j) over 0..n - 1, joined lane by lane.
template <class C, class Of, class Join>
[[gnu::always_inline]] inline C over_lanes(int64_t n, C start, const Of& of, const Join& join) {
  C lanes[kLanes];
  for (C& lane : lanes) lane = start;
  const int64_t whole = n / kLanes * kLanes;
  for (int64_t j = 0; j < whole; j += kLanes)
    for (int l = 0; l < kLanes; ++l) lanes[l] = join(lanes[l], of(j + l));
  for (int64_t j = whole; j < n; ++j) lanes[j - whole] = join(lanes[j - whole], of(j));
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) lanes[l] = join(lanes[l], lanes[l + half]);
  return lanes[0];
}
template <class C, class Of>
[[gnu::always_inline]] inline C sum(int64_t n, const Of& of) {
  return over_lanes(n, C{0}, of, [](C a, C b) { return a + b; });
}

// NaN if the row is not finite.
template <class T>
[[gnu::always_inline]] inline Softened<Computed<T>> soften(const T* row, int64_t classes,
                                                           Computed<T> temperature) {
  using C = Computed<T>;
  Softened<C> out{.temperature = temperature};
  const auto larger = [](C a, C b) { return b > a ? b : a; };
  out.largest = over_lanes(
      classes, -std::numeric_limits<C>::infinity(), [&](int64_t c) { return host_element(row, c); }, larger);
  // 0 for what is finite, else NaN.
  const C missing = sum<C>(classes, [&](int64_t c) { return host_element(row, c) * C{0}; });
  out.sum = sum<C>(classes, [&](int64_t c) { return out.raised(host_element(row, c)); }) + missing;
  out.log_sum = log_of(out.sum);
  return out;
}

template <class C>
struct LogitTerms {
  C soft, confidence;
};

// A selected row. gradient: null, or where `scale` (with 1 / N) of its gradient goes.
template <class T>
[[gnu::always_inline]] inline LogitTerms<Computed<T>> distil(const T* student, const T* teacher,
                                                             int64_t classes, int32_t label,
                                                             const DistillationRules<Computed<T>>& rules,
                                                             Computed<T> scale, T* gradient,
                                                             LossInput* not_finite) {
  using C = Computed<T>;
  const auto plain = soften(student, classes, C{1});
  const auto soft_student = soften(student, classes, rules.temperature);
  const auto soft_teacher = soften(teacher, classes, rules.temperature);
  if (!(plain.sum > 0) || !(soft_student.sum > 0) || !(soft_teacher.sum > 0)) {
    *not_finite = plain.sum > 0 && soft_student.sum > 0 ? LossInput::TeacherLogits : LossInput::Logits;
    const C nan = std::numeric_limits<C>::quiet_NaN();
    return {nan, nan};
  }
  const auto term = [&](int64_t c) {
    return divergence_term(soft_teacher, C{host_element(teacher, c)}, soft_student,
                           C{host_element(student, c)}, c, rules);
  };
  const C soft = sum<C>(classes, [&](int64_t c) { return term(c).value; });
  const C confidence = plain.log_sum - (host_element(student, label) - plain.largest);
  if (gradient == nullptr) return {soft, confidence};
  const C pulls = sum<C>(classes, [&](int64_t c) { return term(c).pull; });
  const C of_soft = scale * rules.soft * rules.temperature, of_confidence = scale * rules.confidence;
  for (int64_t c = 0; c < classes; ++c) {
    const auto t = term(c);
    const C wrong = plain.probability(host_element(student, c)) - (c == label ? C{1} : C{0});
    set_host_element(gradient, c, of_confidence * wrong + of_soft * (t.q * pulls - t.pull));
  }
  return {soft, confidence};
}

#define TYTO_OF(T)                                                                                          \
  TYTO_MULTIVERSION LogitTerms<Computed<T>> distil_row(                                                     \
      const T* student, const T* teacher, int64_t classes, int32_t label,                                   \
      const DistillationRules<Computed<T>>& rules, Computed<T> scale, T* gradient, LossInput* not_finite) { \
    return distil<T>(student, teacher, classes, label, rules, scale, gradient, not_finite);                 \
  }
TYTO_OF(double)
TYTO_OF(float)
TYTO_OF(Half)
TYTO_OF(BFloat16)
#undef TYTO_OF

template <class T>
void fill(T* to, int64_t first, int64_t count, Computed<T> v) {
  if (to == nullptr) return;
  if constexpr (std::is_same_v<T, Computed<T>>)
    std::fill_n(to + first, count, v);
  else
    for (int64_t i = first; i < first + count; ++i) set_host_element(to, i, v);
}

struct BlockResult {
  double sums[kDistilledSums];
  LossStatus found;
};

// Rows first..first + count of the batch.
template <class T>
BlockResult distil_block(const MultiboxSelection<T>& in, const MultiboxPredictions<T>& student,
                         const MultiboxPredictions<T>& teacher, const DistillationRules<Computed<T>>& rules,
                         Computed<T> scale, const MultiboxDistillationOutput<T>& out, int64_t first,
                         int64_t count) {
  using C = Computed<T>;
  constexpr C kNan = std::numeric_limits<C>::quiet_NaN();
  BlockResult result{};
  const auto report = [&](LossStatus fault) { result.found = std::max(result.found, fault); };
  fill(out.locations_gradient, 4 * first, 4 * count, C{0});
  fill(out.logits_gradient, in.classes * first, in.classes * count, C{0});
  for (int64_t row = first; row < first + count; ++row) {
    if (in.selected[row] == 0) continue;
    const int32_t label = in.labels[row];
    if (label < 0 || label >= in.classes) {
      report(loss_status(LossFault::Label, LossInput::Labels, row));
      fill(out.logits_gradient, in.classes * row, in.classes, kNan);
      fill(out.locations_gradient, 4 * row, 4, kNan);
      continue;
    }
    LossInput not_finite = LossInput::Features;
    T* gradient =
        out.logits_gradient == nullptr ? nullptr : host_address(out.logits_gradient, in.classes * row);
    const auto terms = distil_row(host_address(student.logits, in.classes * row),
                                  host_address(teacher.logits, in.classes * row), in.classes, label, rules,
                                  scale, gradient, &not_finite);
    if (not_finite != LossInput::Features) {
      report(loss_status(LossFault::NotFinite, not_finite, row));
      fill(out.logits_gradient, in.classes * row, in.classes, kNan);
    }
    result.sums[0] += static_cast<double>(terms.soft);
    result.sums[1] += static_cast<double>(terms.confidence);
    if (label == 0) continue;
    C l[4], bound[4], target[4];
    for (int k = 0; k < 4; ++k) {
      l[k] = host_element(student.locations, 4 * row + k);
      bound[k] = host_element(teacher.locations, 4 * row + k);
      target[k] = in.targets[4 * row + k];
    }
    const auto location = distilled_location(l, bound, target, rules);
    const LossStatus fault = location_fault(l, bound, target, row);
    report(fault);
    result.sums[2] += static_cast<double>(location.l2);
    result.sums[3] += static_cast<double>(location.smooth);
    if (out.locations_gradient != nullptr)
      for (int k = 0; k < 4; ++k)
        set_host_element(out.locations_gradient, 4 * row + k,
                         fault != 0 ? kNan : scale * location.gradient[k]);
  }
  return result;
}

int64_t blocks_of(int64_t rows) { return (rows + kRows - 1) / kRows; }

}  // namespace

template <class T>
int64_t multibox_distillation_cpu_workspace(int64_t batch, int64_t priors) {
  Workspace measured;
  measured.take<BlockResult>(blocks_of(batch * priors));
  return measured.bytes();
}

template <class T>
void multibox_distillation_cpu(const MultiboxSelection<T>& in, const MultiboxPredictions<T>& student,
                               const MultiboxPredictions<T>& teacher, const MultiboxDistillation& options,
                               const MultiboxDistillationOutput<T>& out, void* workspace) {
  using C = Computed<T>;
  Workspace pieces(workspace);
  const int64_t rows = in.batch * in.priors;
  auto* results = pieces.take<BlockResult>(blocks_of(rows));
  int64_t normalizer = 0;
  for (int64_t image = 0; image < in.batch; ++image)
    normalizer += normalizer_share(options.normalizer, in.positives[image]);
  normalizer = normalizer_of(options.normalizer, normalizer);
  const DistillationRules<C> rules(options);
  const C scale = static_cast<C>(out.scale / static_cast<double>(normalizer));

#pragma omp parallel for schedule(static)
  for (int64_t block = 0; block < blocks_of(rows); ++block)
    results[block] = distil_block(in, student, teacher, rules, scale, out, block * kRows,
                                  std::min(kRows, rows - block * kRows));

  BlockResult all{};
  for (int64_t block = 0; block < blocks_of(rows); ++block) {
    for (int i = 0; i < kDistilledSums; ++i) all.sums[i] += results[block].sums[i];
    all.found = std::max(all.found, results[block].found);
  }
  distillation_value(all.sums, static_cast<double>(normalizer), options, out.value);
  const LossStatus before = found_before(in);
  const bool lost = is_fatal(before);
  if (lost || all.found != 0) std::fill_n(out.value, kDistillationTerms, std::numeric_limits<C>::quiet_NaN());
  if (lost) {
    fill(out.locations_gradient, 0, 4 * rows, std::numeric_limits<C>::quiet_NaN());
    fill(out.logits_gradient, 0, in.classes * rows, std::numeric_limits<C>::quiet_NaN());
  }
  if (out.status != nullptr) *out.status = std::max({*out.status, all.found, before});
}

#define TYTO_INSTANTIATE(T)                                                                           \
  template void multibox_distillation_cpu(const MultiboxSelection<T>&, const MultiboxPredictions<T>&, \
                                          const MultiboxPredictions<T>&, const MultiboxDistillation&, \
                                          const MultiboxDistillationOutput<T>&, void*);               \
  template int64_t multibox_distillation_cpu_workspace<T>(int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/common/host_elements.h"
#include "kernels/common/multiversion.h"
#include "kernels/common/workspace.h"
#include "kernels/losses/multibox_distillation_math.h"

namespace tyto::kernels {
namespace {

constexpr int64_t kRows = 64;  // one thread's at a time
constexpr int kLanes = 16;     // partial sums

// A row of the student's logits beside the teacher's, walked kLanes classes at a time; the last few stand in
// copies that are as long as the others.
template <class T>
class RowPair {
 public:
  using C = Computed<T>;

  [[gnu::always_inline]] RowPair(const T* student, const T* teacher, int64_t classes)
      : student_(student), teacher_(teacher), whole_(classes / kLanes * kLanes), rest_(classes - whole_) {
    for (int64_t l = 0; l < kLanes; ++l) {
      const int64_t c = l < rest_ ? whole_ + l : 0;
      student_tail_[l] = host_element(student, c);
      teacher_tail_[l] = host_element(teacher, c);
    }
  }

  // body(lane, the student's logit, the teacher's, class, whether there is such a class)
  template <class Body>
  [[gnu::always_inline]] void for_each(const Body& body) const {
    for (int64_t c = 0; c < whole_; c += kLanes)
      for (int64_t l = 0; l < kLanes; ++l)
        body(l, C{host_element(student_, c + l)}, C{host_element(teacher_, c + l)}, c + l, true);
    if (rest_ == 0) return;
    for (int64_t l = 0; l < kLanes; ++l) body(l, student_tail_[l], teacher_tail_[l], whole_ + l, l < rest_);
  }

  // of(the student's logit, the teacher's, class) for each class, stored in T.
  template <class Of>
  [[gnu::always_inline]] void store(const Of& of, T* to) const {
    for (int64_t c = 0; c < whole_; ++c)
      set_host_element(to, c, of(C{host_element(student_, c)}, C{host_element(teacher_, c)}, c));
    C tail[kLanes];
    for (int64_t l = 0; l < kLanes; ++l) tail[l] = of(student_tail_[l], teacher_tail_[l], whole_ + l);
    for (int64_t l = 0; l < rest_; ++l) set_host_element(to, whole_ + l, tail[l]);
  }

 private:
  const T *student_, *teacher_;
  int64_t whole_, rest_;
  C student_tail_[kLanes], teacher_tail_[kLanes];
};

template <class C>
struct Lanes {
  C of[kLanes];

  [[gnu::always_inline]] explicit Lanes(C start) { std::fill_n(of, kLanes, start); }
  [[gnu::always_inline]] C sum() {
    for (int half = kLanes / 2; half > 0; half /= 2)
      for (int l = 0; l < half; ++l) of[l] += of[l + half];
    return of[0];
  }
  [[gnu::always_inline]] C largest() const { return *std::max_element(of, of + kLanes); }
};

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
  const RowPair<T> rows(student, teacher, classes);
  constexpr C kNone = -std::numeric_limits<C>::infinity();
  Lanes<C> student_largest(kNone), teacher_largest(kNone);
  Lanes<C> student_missing(0), teacher_missing(0);  // 0 of what is finite, else NaN
  rows.for_each([&](int64_t l, C s, C t, int64_t, bool there) __attribute__((always_inline)) {
    student_largest.of[l] = there && s > student_largest.of[l] ? s : student_largest.of[l];
    teacher_largest.of[l] = there && t > teacher_largest.of[l] ? t : teacher_largest.of[l];
    student_missing.of[l] += s * C{0};
    teacher_missing.of[l] += t * C{0};
  });
  const bool student_finite = student_missing.sum() == 0, teacher_finite = teacher_missing.sum() == 0;
  if (!student_finite || !teacher_finite) {
    *not_finite = student_finite ? LossInput::TeacherLogits : LossInput::Logits;
    const C nan = std::numeric_limits<C>::quiet_NaN();
    return {nan, nan};
  }
  Softened<C> plain{.temperature = 1, .largest = student_largest.largest()};
  Softened<C> soft_student{.temperature = rules.temperature, .largest = plain.largest};
  Softened<C> soft_teacher{.temperature = rules.temperature, .largest = teacher_largest.largest()};
  Lanes<C> plain_sum(0), student_sum(0), teacher_sum(0);
  rows.for_each([&](int64_t l, C s, C t, int64_t, bool there) __attribute__((always_inline)) {
    student_sum.of[l] += there ? soft_student.raised(s) : C{0};
    teacher_sum.of[l] += there ? soft_teacher.raised(t) : C{0};
  });
  const bool tempered = rules.temperature != 1;
  if (tempered)
    rows.for_each([&](int64_t l, C s, C, int64_t, bool there)
                      __attribute__((always_inline)) { plain_sum.of[l] += there ? plain.raised(s) : C{0}; });
  soft_student.sum = student_sum.sum();
  soft_teacher.sum = teacher_sum.sum();
  plain.sum = tempered ? plain_sum.sum() : soft_student.sum;
  for (Softened<C>* one : {&plain, &soft_student, &soft_teacher}) one->log_sum = log_of(one->sum);

  Lanes<C> values(0), pulls(0);
  rows.for_each([&](int64_t l, C s, C t, int64_t c, bool there) __attribute__((always_inline)) {
    const auto term = divergence_term(soft_teacher, t, soft_student, s, c, rules);
    values.of[l] += there ? term.value : C{0};
    pulls.of[l] += there ? term.pull : C{0};
  });
  const C soft = values.sum(), pull = pulls.sum();
  const C confidence = plain.log_sum - (host_element(student, label) - plain.largest);
  if (gradient == nullptr) return {soft, confidence};
  const C of_soft = scale * rules.soft * rules.temperature, of_confidence = scale * rules.confidence;
  rows.store(
      [&](C s, C t, int64_t c) __attribute__((always_inline)) {
        const auto term = divergence_term(soft_teacher, t, soft_student, s, c, rules);
        const C wrong = (tempered ? plain.probability(s) : term.q) - (c == label ? C{1} : C{0});
        return of_confidence * wrong + of_soft * (term.q * pull - term.pull);
      },
      gradient);
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

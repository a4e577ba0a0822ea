// The arithmetic of multibox_distillation.h. C is double or float.
#pragma once

#include "kernels/losses/multibox_distillation.h"
#include "kernels/losses/multibox_loss_math.h"
#include "kernels/losses/real_functions.h"

namespace tyto::kernels {

inline constexpr int kDistilledSums = 4;  // the terms of the value but the total, before they are divided

// The options as one prior sees them: in C, and of one form.
template <class C>
struct DistillationRules {
  C temperature, background_weight, foreground_weight, eps, margin;
  C soft, confidence, l2, location;  // of the total
  bool against_teacher;              // p log p counts

  explicit DistillationRules(const MultiboxDistillation& o)
      : temperature(static_cast<C>(o.temperature)),
        background_weight(static_cast<C>(o.background_weight)),
        foreground_weight(static_cast<C>(o.foreground_weight)),
        eps(static_cast<C>(o.eps)),
        margin(static_cast<C>(o.margin)),
        soft(static_cast<C>(o.soft)),
        confidence(static_cast<C>(o.confidence)),
        l2(static_cast<C>(o.l2)),
        location(static_cast<C>(o.location)),
        against_teacher(o.divergence == Divergence::KullbackLeibler) {
    if (o.background_weight > 1) return;  // else torch's KLDivLoss
    background_weight = foreground_weight = 1;
    eps = 0;
    against_teacher = true;
  }

  TYTO_HOST_DEVICE C weight(int64_t c) const { return c == 0 ? background_weight : foreground_weight; }
};

// softmax(z / T) of a row, once its largest z and the sum of its exponentials are known.
template <class C>
struct Softened {
  C temperature, largest = 0, sum = 1, log_sum = 0;

  // e^((z - largest) / T)
  [[gnu::always_inline]] TYTO_HOST_DEVICE C raised(C z) const { return exp_of((z - largest) / temperature); }
  [[gnu::always_inline]] TYTO_HOST_DEVICE C probability(C z) const { return raised(z) / sum; }
  // log(probability(z) + eps), `probability` being that; without eps it is exact where the probability is 0.
  [[gnu::always_inline]] TYTO_HOST_DEVICE C log_probability(C z, C probability, C eps) const {
    return eps > 0 ? log_of(probability + eps) : (z - largest) / temperature - log_sum;
  }
};

// What class c adds: to the divergence, and by its pull to d divergence / d z.
template <class C>
struct DivergenceTerm {
  C value;
  C pull;  // w_c (p_c + eps) q_c / (q_c + eps): d divergence / d z_c = (q_c * sum of pulls - pull) / T
  C q;
};

template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline DivergenceTerm<C> divergence_term(
    const Softened<C>& teacher, C teacher_z, const Softened<C>& student, C student_z, int64_t c,
    const DistillationRules<C>& rules) {
  const C p = teacher.probability(teacher_z), q = student.probability(student_z);
  const C log_p = rules.against_teacher ? teacher.log_probability(teacher_z, p, rules.eps) : C{0};
  const C weighted = rules.weight(c) * (p + rules.eps);
  return {weighted * (log_p - student.log_probability(student_z, q, rules.eps)),
          rules.eps > 0 ? weighted * (q / (q + rules.eps)) : weighted, q};
}

// A positive prior's location.
template <class C>
struct DistilledLocation {
  C l2 = 0, smooth = 0;
  C gradient[4];  // N * d total / d location
};

template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline DistilledLocation<C> distilled_location(
    const C (&student)[4], const C (&teacher)[4], const C (&target)[4], const DistillationRules<C>& rules) {
  DistilledLocation<C> out;
  C squares = 0, of_teacher = 0;
  for (int k = 0; k < 4; ++k) {
    const C d = student[k] - target[k], bound = teacher[k] - target[k];
    squares += d * d;
    of_teacher += bound * bound;
    out.smooth += smooth_l1(d);
  }
  const bool worse = squares + rules.margin > of_teacher;
  if (worse) out.l2 = squares;
  for (int k = 0; k < 4; ++k) {
    const C d = student[k] - target[k];
    out.gradient[k] = rules.location * smooth_l1_slope(d) + (worse ? 2 * rules.l2 * d : C{0});
  }
  return out;
}

// The larger fault of a positive's location; targets may be infinite, as those of a degenerate object are.
template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline LossStatus location_fault(const C (&student)[4],
                                                                         const C (&teacher)[4],
                                                                         const C (&target)[4], int64_t row) {
  bool student_finite = true, teacher_finite = true, is_number = true;
  for (int k = 0; k < 4; ++k) {
    student_finite = student_finite && student[k] - student[k] == 0;
    teacher_finite = teacher_finite && teacher[k] - teacher[k] == 0;
    is_number = is_number && target[k] == target[k];
  }
  if (!student_finite) return loss_status(LossFault::NotFinite, LossInput::Locations, row);
  if (!teacher_finite) return loss_status(LossFault::NotFinite, LossInput::TeacherLocations, row);
  if (!is_number) return loss_status(LossFault::NotFinite, LossInput::Boxes, row);
  return 0;
}

// What matching and mining found before.
template <class T>
TYTO_HOST_DEVICE LossStatus found_before(const MultiboxSelection<T>& in) {
  return both_found(in.matching == nullptr ? 0 : *in.matching, in.mining == nullptr ? 0 : *in.mining);
}

// From the sums to the terms and their total.
template <class C>
TYTO_HOST_DEVICE inline void distillation_value(const double (&sums)[kDistilledSums], double normalizer,
                                                const MultiboxDistillation& o, C* value) {
  const double soft = o.temperature * o.temperature * sums[0] / normalizer;
  const double confidence = sums[1] / normalizer, l2 = sums[2] / normalizer, location = sums[3] / normalizer;
  value[0] = static_cast<C>(o.soft * soft + o.confidence * confidence + (o.l2 * l2 + o.location * location));
  value[1] = static_cast<C>(soft);
  value[2] = static_cast<C>(confidence);
  value[3] = static_cast<C>(l2);
  value[4] = static_cast<C>(location);
}

}  // namespace tyto::kernels

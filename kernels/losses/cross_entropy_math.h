// The arithmetic of cross_entropy.h. C is double or float.
#pragma once

#include <cstdint>

#include "kernels/common/host_device.h"

namespace tyto::kernels {

// The target of a row: `each` of every class and `label` more of its own.
template <class C>
struct SmoothedTarget {
  C label, each;

  SmoothedTarget(double smoothing, int64_t classes)
      : label(static_cast<C>(1 - smoothing)),
        each(static_cast<C>(smoothing / static_cast<double>(classes))) {}
};

// -sum_c q_c log p_c of a row, by its z = logit - largest logit: of the label, their sum, and log sum e^z.
template <class C>
[[gnu::always_inline]] TYTO_HOST_DEVICE inline C smoothed_loss(const SmoothedTarget<C>& target, C log_sum,
                                                               C z_label, C z_sum) {
  // z_sum is -infinity where logits are further apart than C reaches.
  const C of_all = target.each == 0 ? C{0} : target.each * z_sum;
  return log_sum - target.label * z_label - of_all;
}

// Whether a row's label is one to learn, counts for nothing, or is out of range.
enum class LabelUse : uint8_t { Counts, Ignored, OutOfRange };

TYTO_HOST_DEVICE inline LabelUse use_of_label(int32_t label, int64_t classes, bool ignores, int32_t ignored) {
  if (ignores && label == ignored) return LabelUse::Ignored;
  return label < 0 || label >= classes ? LabelUse::OutOfRange : LabelUse::Counts;
}

}  // namespace tyto::kernels

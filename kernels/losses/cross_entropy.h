// Softmax cross entropy with smoothed labels: of classifiers, of the identities beside CMDC (smoothing 0.1),
// of PCB's parts, of anchors and regions in Faster R-CNN (ignored_label -1).
#pragma once

#include <optional>

#include "kernels/losses/loss.h"

namespace tyto::kernels {

// With p = softmax of a row of logits and the target q = (1 - smoothing) onehot + smoothing / classes,
//   value = mean_i -sum_c q_ic log p_ic,  gradient = scale (p - q) / rows:
// torch.nn.functional.cross_entropy with label_smoothing, which the re-ID baselines' CrossEntropyLabelSmooth
// equals.
struct CrossEntropy {
  double smoothing = 0;  // in [0, 1]
  // Logits [parts, rows, classes] of the same labels: the value is the sum of the parts' means (layumi's
  // PCB).
  int64_t parts = 1;
  // Rows of this label count for nothing: the mean is over the others, and they get zeros. Their logits may
  // be anything. torch's ignore_index, so without any other row the value is NaN.
  std::optional<int32_t> ignored_label = {};
};

// logits.values  [parts, rows, width], width classes
// out.gradient   of that shape; it may be logits.values itself
// A row that is not finite (-infinity is not) or has a label out of range makes the value NaN, and its own
// gradient. Of a status the row counts through all parts for logits. Without rows the value is NaN, as
// torch's.
// workspace: cross_entropy_cpu_workspace() or cross_entropy_workspace() bytes. width < 2^31.
template <class T>
void cross_entropy_cpu(const LabelledRows<T>& logits, const CrossEntropy&, const LossOutput<T>&,
                       void* workspace);
template <class T>
int64_t cross_entropy_cpu_workspace(int64_t rows, int64_t parts);

template <class T>
void cross_entropy(const LabelledRows<T>& logits, const CrossEntropy&, const LossOutput<T>&, void* workspace,
                   Stream);
template <class T>
int64_t cross_entropy_workspace(int64_t rows, int64_t parts);

}  // namespace tyto::kernels

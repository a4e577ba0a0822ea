// The regulariser between two views of the same images, of layumi's Person_reID_baseline_pytorch (train.py
// --DG, which adds a tenth of it).
#pragma once

#include "kernels/losses/loss.h"

namespace tyto::kernels {

// Logits of two views, row by row of the same image. train.py takes the second from the averaged model.
template <class T>
struct TwoViews {
  const T *first = nullptr, *second = nullptr;  // [rows, classes]
  int64_t rows = 0, classes = 0;
  T* second_gradient = nullptr;  // [rows, classes]: of train.py's first form; now it lets none go there: null
};

// With p and q = softmax of a row of the first and of the second,
//   value = mean over rows of (KL(p || q) + KL(q || p)) / 2 = mean of 1/2 sum_c (p_c - q_c)(log p_c - log
//   q_c)
// (torch's KLDivLoss, reduction "batchmean"). out.gradient is the first's.
// A row that is not finite (-infinity is not) in either view makes the value NaN and its own gradients; a
// status says logits for the first, the teacher's logits for the second. Without rows the value is NaN, as
// torch's. For PCB train.py gives it the mean of the parts' probabilities in the place of logits.
// workspace: symmetric_kl_cpu_workspace() or symmetric_kl_workspace() bytes; classes < 2^31.
template <class T>
void symmetric_kl_cpu(const TwoViews<T>&, const LossOutput<T>&, void* workspace);
template <class T>
int64_t symmetric_kl_cpu_workspace(int64_t rows);

template <class T>
void symmetric_kl(const TwoViews<T>&, const LossOutput<T>&, void* workspace, Stream);
template <class T>
int64_t symmetric_kl_workspace(int64_t rows);

}  // namespace tyto::kernels

// Generalised lifted structure loss (Hermans et al., 2017), as pytorch-metric-learning 2.x has it.
#pragma once

#include "kernels/losses/loss.h"

namespace tyto::kernels {

// With x = f / ||f|| and d_ij = ||x_i - x_j||, over the other rows p of an anchor's label and the rows n of
// other labels:
//   A = log sum_p exp(d_ip - positive_margin),  B = log sum_n exp(negative_margin - d_in),
//   value = mean over all anchors of [A + B]+.
// A sum of nothing makes A or B 0 (3.0 leaves such anchors out of the mean). An empty batch gives 0.
struct LiftedLoss {
  double positive_margin = 0;
  double negative_margin = 1;
};

// workspace: lifted_loss_cpu_workspace() or lifted_loss_workspace() bytes; rows * rows <
// 2^31.
template <class T>
void lifted_loss_cpu(const LabelledRows<T>& features, const LiftedLoss&, const LossOutput<T>&,
                     void* workspace);
template <class T>
int64_t lifted_loss_cpu_workspace(int64_t rows, int64_t width);

template <class T>
void lifted_loss(const LabelledRows<T>& features, const LiftedLoss&, const LossOutput<T>&, void* workspace,
                 Stream);
template <class T>
int64_t lifted_loss_workspace(int64_t rows, int64_t width);

}  // namespace tyto::kernels

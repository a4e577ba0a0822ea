// Circle loss over the pairs of a batch (Sun et al., CVPR 2020), as layumi's Person_reID_baseline_pytorch
// takes it from the paper's supplement: one loss for the whole batch.
#pragma once

#include "kernels/losses/loss.h"

namespace tyto::kernels {

// With x = f / ||f|| and s_ij = x_i x_j over the pairs i < j, of one label (p) and of two (n):
//   l_p = -gamma [1 + m - s]+ (s - (1 - m)),  l_n = gamma [s + m]+ (s - m),
//   value = softplus(logsumexp l_p + logsumexp l_n).
// The brackets are weights, through which no gradient goes. 0 without positive or without negative pairs.
// train.py divides the value by the batch's size; this does not.
struct CircleLoss {
  double margin = 0.25;  // m
  double gamma = 32;
};

// workspace: circle_loss_cpu_workspace() or circle_loss_workspace() bytes; rows * rows <
// 2^31.
template <class T>
void circle_loss_cpu(const LabelledRows<T>& features, const CircleLoss&, const LossOutput<T>&,
                     void* workspace);
template <class T>
int64_t circle_loss_cpu_workspace(int64_t rows, int64_t width);

template <class T>
void circle_loss(const LabelledRows<T>& features, const CircleLoss&, const LossOutput<T>&, void* workspace,
                 Stream);
template <class T>
int64_t circle_loss_workspace(int64_t rows, int64_t width);

}  // namespace tyto::kernels

// Triplet loss of each anchor's hardest pairs (Hermans et al., 2017), as OriTripletLoss of AGW (mangye16's
// Cross-Modal-Re-ID-baseline) has it.
#pragma once

#include "kernels/losses/loss.h"

namespace tyto::kernels {

// With d_ij = max(||f_i - f_j||, 1e-6) of the features as they are, over the rows p of an anchor's label,
// itself too, and the rows n of other labels:
//   value = mean over anchors of [max_p d_ip - min_n d_in + margin]+.
// The gradient goes to the lowest index among equals and to no distance below 1e-6. One label only or no row,
// which the reference refuses, gives 0.
struct BatchHardTripletLoss {
  double margin = 0.3;
};

// workspace: batch_hard_triplet_loss_cpu_workspace() or batch_hard_triplet_loss_workspace() bytes; rows *
// rows < 2^31.
template <class T>
void batch_hard_triplet_loss_cpu(const LabelledRows<T>& features, const BatchHardTripletLoss&,
                                 const LossOutput<T>&, void* workspace);
template <class T>
int64_t batch_hard_triplet_loss_cpu_workspace(int64_t rows, int64_t width);

template <class T>
void batch_hard_triplet_loss(const LabelledRows<T>& features, const BatchHardTripletLoss&,
                             const LossOutput<T>&, void* workspace, Stream);
template <class T>
int64_t batch_hard_triplet_loss_workspace(int64_t rows, int64_t width);

}  // namespace tyto::kernels

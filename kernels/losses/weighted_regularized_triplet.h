// Weighted regularised triplet loss of AGW (Ye et al., TPAMI 2021): TripletLoss_WRT of mangye16's
// Cross-Modal-Re-ID-baseline.
#pragma once

#include "kernels/losses/loss.h"

namespace tyto::kernels {

// With d_ij = max(||f_i - f_j||, 1e-6) of the features as they are, over the rows p of an anchor's label,
// itself too, and the rows n of other labels, D = max_p d_ip:
//   w_p = exp(d_ip - D) / (sum_p exp(d_ip - D) + 1e-6),  w_n = exp(-d_in) / (sum_n exp(-d_in) + 1e-6),
//   value = mean over anchors of log(1 + exp(sum_p w_p d_ip - sum_n w_n d_in)).
// The gradient goes through weights and D too, to the lowest index among equals and to no distance below
// 1e-6. Negatives farther than about 14 weigh next to nothing, as in the reference. Without negatives their
// sum is 0; an empty batch gives NaN.
struct WeightedRegularizedTripletLoss {};

// workspace: weighted_regularized_triplet_loss_cpu_workspace() or
// weighted_regularized_triplet_loss_workspace() bytes; rows * rows < 2^31.
template <class T>
void weighted_regularized_triplet_loss_cpu(const LabelledRows<T>& features,
                                           const WeightedRegularizedTripletLoss&, const LossOutput<T>&,
                                           void* workspace);
template <class T>
int64_t weighted_regularized_triplet_loss_cpu_workspace(int64_t rows, int64_t width);

template <class T>
void weighted_regularized_triplet_loss(const LabelledRows<T>& features, const WeightedRegularizedTripletLoss&,
                                       const LossOutput<T>&, void* workspace, Stream);
template <class T>
int64_t weighted_regularized_triplet_loss_workspace(int64_t rows, int64_t width);

}  // namespace tyto::kernels

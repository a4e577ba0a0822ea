// Hetero-centre triplet loss (Liu, Tan, Zhou, TMM 2021; hijune6/Hetero-center-triplet-loss-for-VT-Re-ID): a
// batch-hard triplet loss on the centres of a batch.
#pragma once

#include "kernels/losses/loss.h"

namespace tyto::kernels {

// With a centre for each class and modality of the batch, the mean of its rows, and d the distance between
// centres:
//   value = mean over centres a of [max_{p of a's class} d_ap - min_{n of others} d_an + margin]+.
// The farthest centre p of a class may be the anchor itself, at 0 (the reference's 1e-6 apart); of equal
// ones the first counts, in the order of labels, visible before thermal. A class in one modality only has one
// centre. With one identity in the batch, of which the reference makes an error, the value is 0.
// The reference wants rows in the order modality, class, with equally many each; this takes any rows.
struct HeteroCenterTripletLoss {
  double margin = 0.3;
};

// features.labels  any numbers from 0 on
// modalities       [rows]  0 visible, 1 thermal
// Without rows the value is 0. A fault makes the value and the gradient NaN as a whole.
// workspace: hetero_center_triplet_loss_cpu_workspace() or hetero_center_triplet_loss_workspace() bytes; rows
// * rows < 2^31.
template <class T>
void hetero_center_triplet_loss_cpu(const LabelledRows<T>& features, const int32_t* modalities,
                                    const HeteroCenterTripletLoss&, const LossOutput<T>&, void* workspace);
template <class T>
int64_t hetero_center_triplet_loss_cpu_workspace(int64_t rows, int64_t width);

template <class T>
void hetero_center_triplet_loss(const LabelledRows<T>& features, const int32_t* modalities,
                                const HeteroCenterTripletLoss&, const LossOutput<T>&, void* workspace,
                                Stream);
template <class T>
int64_t hetero_center_triplet_loss_workspace(int64_t rows, int64_t width);

}  // namespace tyto::kernels

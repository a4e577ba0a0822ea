// Hetero-centre loss (Zhu et al., Neurocomputing 2020; 98zyx/Hetero-center-loss): the visible and the thermal
// centre of each class of the batch are drawn together.
#pragma once

#include "kernels/losses/loss.h"

namespace tyto::kernels {

enum class CenterDistance {
  Squared,   // ||a - b||^2
  Absolute,  // the mean of |a_j - b_j|, torch's L1Loss
  Cosine,    // 1 - ab / (||a|| ||b||), lengths at least 1e-8
};

// value = sum over classes of [distance(visible centre, thermal centre) - margin]+, a centre being the mean
// of its rows. A class in one modality only is skipped.
struct HeteroCenterLoss {
  CenterDistance distance = CenterDistance::Squared;
  double margin = 0.1;
};

// features.labels  any numbers from 0 on
// modalities       [rows]  0 visible, 1 thermal, in any order
// Without rows the value is 0. A fault makes the value and the gradient NaN as a whole.
// workspace: hetero_center_loss_cpu_workspace() or hetero_center_loss_workspace() bytes; rows
// < 2^31.
template <class T>
void hetero_center_loss_cpu(const LabelledRows<T>& features, const int32_t* modalities,
                            const HeteroCenterLoss&, const LossOutput<T>&, void* workspace);
template <class T>
int64_t hetero_center_loss_cpu_workspace(int64_t rows, int64_t width);

template <class T>
void hetero_center_loss(const LabelledRows<T>& features, const int32_t* modalities, const HeteroCenterLoss&,
                        const LossOutput<T>&, void* workspace, Stream);
template <class T>
int64_t hetero_center_loss_workspace(int64_t rows, int64_t width);

}  // namespace tyto::kernels

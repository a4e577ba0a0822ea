// What the dual-path attention network trains on: the loss of identities and CMDC (cmdc.h) in one call.
#pragma once

#include "kernels/losses/cmdc.h"

namespace tyto::kernels {

// value = identity + lambda cmdc: softmax cross entropy of the logits with smoothed labels, and CMDC of the
// features. Lambda is the paper's best; that its identity loss has smoothed labels is inferred.
struct IdentityAndCmdcLoss {
  double smoothing = 0.1;
  double lambda = 3;
  CmdcLoss cmdc;
};

template <class T>
struct IdentityAndCmdcInputs {
  LabelledRows<T> logits;               // [rows, classes]
  LabelledRows<T> features;             // [rows, width]; the labels may be the same array
  const int32_t* modalities = nullptr;  // as cmdc_loss takes them
  LearnedCenters<T> learned;
};

template <class T>
struct IdentityAndCmdcOutput {
  Computed<T>* values = nullptr;   // [3]  the total, identity, cmdc
  T* logits_gradient = nullptr;    // [rows, classes]  scale * d total / d logits; null: not wanted
  T* features_gradient = nullptr;  // [rows, width]    scale * d total / d features; null: not wanted
  double scale = 1;                // of the learned centres' gradient too
  LossStatus* status = nullptr;    // as LossOutput's
};

// A fault of the logits makes the identity loss NaN, one of the features CMDC, either the total.
// workspace: identity_and_cmdc_loss_cpu_workspace() or identity_and_cmdc_loss_workspace() bytes.
template <class T>
void identity_and_cmdc_loss_cpu(const IdentityAndCmdcInputs<T>&, const IdentityAndCmdcLoss&,
                                const IdentityAndCmdcOutput<T>&, void* workspace);
template <class T>
int64_t identity_and_cmdc_loss_cpu_workspace(int64_t rows, int64_t width);

template <class T>
void identity_and_cmdc_loss(const IdentityAndCmdcInputs<T>&, const IdentityAndCmdcLoss&,
                            const IdentityAndCmdcOutput<T>&, void* workspace, Stream);
template <class T>
int64_t identity_and_cmdc_loss_workspace(int64_t rows, int64_t width);

}  // namespace tyto::kernels

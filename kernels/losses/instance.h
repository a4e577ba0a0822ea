// Instance loss: every row is a class of its own (Zheng et al., ACM TOMM 2020), as layumi's instance_loss.py
// has it.
#pragma once

#include "kernels/losses/loss.h"

namespace tyto::kernels {

// With u = f / (||f|| + added_length): the mean over rows i of -log softmax_j(gamma u_i u_j) at j = i. By
// identity, the f are the means of the features of each label. One row or one label gives 0, an empty batch
// NaN. train.py divides the value by the batch's size; this does not.
struct InstanceLoss {
  double gamma = 32;           // at most 256
  double added_length = 1e-8;  // beside which a row of zeros stays one
  bool by_identity = false;    // labels are otherwise not looked at, but must be at least 0
};

// workspace: instance_loss_cpu_workspace() or instance_loss_workspace() bytes; rows * rows <
// 2^31.
template <class T>
void instance_loss_cpu(const LabelledRows<T>& features, const InstanceLoss&, const LossOutput<T>&,
                       void* workspace);
template <class T>
int64_t instance_loss_cpu_workspace(int64_t rows, int64_t width, const InstanceLoss&);

template <class T>
void instance_loss(const LabelledRows<T>& features, const InstanceLoss&, const LossOutput<T>&,
                   void* workspace, Stream);
template <class T>
int64_t instance_loss_workspace(int64_t rows, int64_t width, const InstanceLoss&);

}  // namespace tyto::kernels

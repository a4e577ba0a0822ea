// Contrastive loss over the pairs of a batch (Hadsell et al., CVPR 2006), as pytorch-metric-learning has it.
#pragma once

#include "kernels/losses/loss.h"

namespace tyto::kernels {

// With x = f / ||f|| and d_ij = ||x_i - x_j||:
//   value = mean of [d - positive_margin]+ over pairs of one label
//         + mean of [negative_margin - d]+ over pairs of two,
// each mean over those of its terms that are not 0; without such, 0.
struct ContrastiveLoss {
  double positive_margin = 0;
  double negative_margin = 1;
};

// workspace: contrastive_loss_cpu_workspace() or contrastive_loss_workspace() bytes; rows *
// rows < 2^31.
template <class T>
void contrastive_loss_cpu(const LabelledRows<T>& features, const ContrastiveLoss&, const LossOutput<T>&,
                          void* workspace);
template <class T>
int64_t contrastive_loss_cpu_workspace(int64_t rows, int64_t width);

template <class T>
void contrastive_loss(const LabelledRows<T>& features, const ContrastiveLoss&, const LossOutput<T>&,
                      void* workspace, Stream);
template <class T>
int64_t contrastive_loss_workspace(int64_t rows, int64_t width);

}  // namespace tyto::kernels

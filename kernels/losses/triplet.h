// Triplet loss over all triplets of a batch, or over those that a multi-similarity miner finds, as layumi's
// Person_reID_baseline_pytorch takes both from pytorch-metric-learning.
#pragma once

#include "kernels/losses/loss.h"

namespace tyto::kernels {

// With x = f / ||f||, d_ij = ||x_i - x_j|| and s_ij = 1 - d_ij^2 / 2, the cosine: the mean, over those that
// are not 0, of
//   v = [d_ap - d_an + margin]+
// for every anchor a, other row p of its label and row n of another. Mined: only with
//   s_ap - epsilon < max_n s_an and s_an + epsilon > min_p s_ap,
// a choice through which no gradient goes. 0 where no v is left, in an empty batch too.
struct TripletLoss {
  double margin = 0.3;
  bool mined = true;     // MultiSimilarityMiner
  double epsilon = 0.1;  // of the miner
};

// Cost beside the frame's (pairwise_loss.h): for each anchor its positives times its negatives, twice.
// workspace: triplet_loss_cpu_workspace() or triplet_loss_workspace() bytes; rows * rows <
// 2^31.
template <class T>
void triplet_loss_cpu(const LabelledRows<T>& features, const TripletLoss&, const LossOutput<T>&,
                      void* workspace);
template <class T>
int64_t triplet_loss_cpu_workspace(int64_t rows, int64_t width);

template <class T>
void triplet_loss(const LabelledRows<T>& features, const TripletLoss&, const LossOutput<T>&, void* workspace,
                  Stream);
template <class T>
int64_t triplet_loss_workspace(int64_t rows, int64_t width);

}  // namespace tyto::kernels

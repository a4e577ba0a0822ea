// The cross-modality dual-constraint loss (CMDC) of the dual-path attention network for visible-thermal
// re-identification (Wang et al., Entropy 24(4):443, 2022).
//
// The paper establishes: samples are held to the centre of their class; a boundary holds what a class's
// centre and samples of its class are apart below one bound, and what its centre and samples of others are
// apart above another; a centre may be the visible or the thermal one of a class; the metric is Euclidean;
// one sums over the identities of a batch; the total is identity loss + lambda CMDC, lambda = 3
// (identity_and_cmdc.h).
// Its formulas were not to be had, and no code is public. Our reading are: both bounds' values, features of
// unit length, plain distances, means and not sums, both ways of mining, centres as means of the batch
// through which the gradient flows, and the pure centre term, which is Wen et al.'s, as the paper's words
// are.
#pragma once

#include "kernels/losses/center_loss.h"

namespace tyto::kernels {

enum class CmdcCenters {
  Modality,  // of each modality of a class in the batch, the mean of its rows
  Joint,     // of each class in the batch, the mean of all its rows
  Learned,   // of each class in the batch, the one that the caller keeps
};

enum class CmdcMining {
  All,   // the mean over the pairs of a centre
  Hard,  // the farthest row of its class and the nearest of another; of equal ones the first
};

// With x the features, d_ci = ||x_i - c|| for each centre c that exists, [z]+ = max(z, 0) and C centres,
//   value = 1/C sum_c (agg_{i of c's class} [d_ci - positive_bound]+
//                      + agg_{i of others} [negative_bound - d_ci]+)
//           + center_weight / (2 rows) sum_i ||x_i - c of i||^2,
// agg being the mean or the largest; rows of both modalities stand on either side. A class without a row of
// one modality has no centre there; with one identity in the batch the negative side is 0. The centre of a
// row is its class's, with CmdcCenters::Modality that of its own modality. At distance 0 no gradient flows.
struct CmdcLoss {
  CmdcCenters centers = CmdcCenters::Modality;
  CmdcMining mining = CmdcMining::All;
  double positive_bound = 0.3, negative_bound = 1;  // ours, for unit features, whose distances are 0 to 2
  double center_weight = 0;                         // mu
  bool normalize = true;                            // x = f / ||f||, and x = f without
};

// features.labels  any numbers from 0 on; less than learned.classes for learned centres
// modalities       [rows]  0 visible, 1 thermal; not read, and may be null, unless centres are a modality's
// learned          not read unless centres are learned; then values that are not finite are a fault where
//                  their class is in the batch
// Without rows the value is 0. A fault makes the value and both gradients NaN as a whole, for each row
// depends on all.
// workspace: cmdc_loss_cpu_workspace() or cmdc_loss_workspace() bytes; rows * rows and
// classes < 2^31.
template <class T>
void cmdc_loss_cpu(const LabelledRows<T>& features, const int32_t* modalities,
                   const LearnedCenters<T>& learned, const CmdcLoss&, const LossOutput<T>&, void* workspace);
template <class T>
int64_t cmdc_loss_cpu_workspace(int64_t rows, int64_t width);

template <class T>
void cmdc_loss(const LabelledRows<T>& features, const int32_t* modalities, const LearnedCenters<T>& learned,
               const CmdcLoss&, const LossOutput<T>&, void* workspace, Stream);
template <class T>
int64_t cmdc_loss_workspace(int64_t rows, int64_t width);

}  // namespace tyto::kernels

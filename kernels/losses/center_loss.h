// Centre loss (Wen et al., ECCV 2016) and its rule by which centres follow the features.
#pragma once

#include "kernels/losses/loss.h"

namespace tyto::kernels {

// Centres that a trainer keeps, one a class, in the space of the features x as a loss takes them. They are
// changed along their gradient or by update_centers.
template <class T>
struct LearnedCenters {
  const T* values = nullptr;  // [classes, width]
  int64_t classes = 0;
  T* gradient = nullptr;  // [classes, width]  scale * d value / d values, 0 for classes not in the batch; or
                          // null
};

// value = 1/2 sum_i ||x_i - c of i's class||^2: a sum, as in the paper. Its gradient is x_i - c, and the
// centres' sum (c - x_i).
struct CenterLoss {
  bool normalize = false;  // x = f / ||f||, and x = f without
};

// features.labels  from 0 to less than centers.classes
// Without rows the value is 0. A fault makes the value and both gradients NaN as a whole.
// workspace: center_loss_cpu_workspace() or center_loss_workspace() bytes; rows and classes <
// 2^31.
template <class T>
void center_loss_cpu(const LabelledRows<T>& features, const LearnedCenters<T>& centers, const CenterLoss&,
                     const LossOutput<T>&, void* workspace);
template <class T>
int64_t center_loss_cpu_workspace(int64_t rows, int64_t width);

template <class T>
void center_loss(const LabelledRows<T>& features, const LearnedCenters<T>& centers, const CenterLoss&,
                 const LossOutput<T>&, void* workspace, Stream);
template <class T>
int64_t center_loss_workspace(int64_t rows, int64_t width);

// For each class, over its n rows: c = c - rate sum (c - x_i) / (1 + n).
struct UpdateCenters {
  double rate = 0.5;       // alpha
  bool normalize = false;  // as the loss takes the features
};

// centers  [classes, width], changed in place; after a fault (which joins *status, if not null) as they were
// workspace: that of center_loss.
template <class T>
void update_centers_cpu(const LabelledRows<T>& features, const UpdateCenters&, int64_t classes, T* centers,
                        LossStatus* status, void* workspace);
template <class T>
void update_centers(const LabelledRows<T>& features, const UpdateCenters&, int64_t classes, T* centers,
                    LossStatus* status, void* workspace, Stream);

}  // namespace tyto::kernels

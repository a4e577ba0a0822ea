// Rows of T as a loss computes with them, and gradients on their way back. Of the family's own use.
#pragma once

#include "kernels/losses/loss.h"

namespace tyto::kernels {

// How rows are taken: as they are, or x = f / (||f|| + added_length). A row no longer than kLeastLength
// becomes zeros without gradient, where torch.nn.functional.normalize lets the gradient through a trillion
// times.
struct RowsAs {
  bool unit = true;
  double added_length = 0;  // layumi's instance loss
  static constexpr double kLeastLength = 1e-12;
};

// from     [rows, width]
// to       [rows, width]
// lengths  [rows]  ||f||; null where not unit
// found    the fault of the first row that is not finite joins it (a maximum)
template <class T>
void load_rows_cpu(const T* from, int64_t rows, int64_t width, const RowsAs&, LossInput, Computed<T>* to,
                   Computed<T>* lengths, LossStatus* found);
template <class T>
void load_rows(const T* from, int64_t rows, int64_t width, const RowsAs&, LossInput, Computed<T>* to,
               Computed<T>* lengths, LossStatus* found, Stream);

// gradients  [rows, width]  d value / d x
// x          what load_rows made, with its lengths
// to         [rows, width]  scale * d value / d f; NaN if *found is a fault; may be `gradients`
template <class T>
void store_row_gradients_cpu(const Computed<T>* gradients, const Computed<T>* x, const Computed<T>* lengths,
                             int64_t rows, int64_t width, const RowsAs&, double scale,
                             const LossStatus* found, T* to);
template <class T>
void store_row_gradients(const Computed<T>* gradients, const Computed<T>* x, const Computed<T>* lengths,
                         int64_t rows, int64_t width, const RowsAs&, double scale, const LossStatus* found,
                         T* to, Stream);

// Labels at least 0 and, where `classes` is not 0, less than that; the first other joins *found.
void check_labels_cpu(const int32_t* labels, int64_t rows, int64_t classes, LossInput, LossStatus* found);
void check_labels(const int32_t* labels, int64_t rows, int64_t classes, LossInput, LossStatus* found, Stream);

// *found = 0, which begins a loss.
void clear_status(LossStatus* found, Stream);

// What ends a loss: values [count] become NaN if *found is a fault, and it joins *status, which may be null.
template <class C>
void finish_loss_cpu(const LossStatus* found, C* values, int64_t count, LossStatus* status);
template <class C>
void finish_loss(const LossStatus* found, C* values, int64_t count, LossStatus* status, Stream);

}  // namespace tyto::kernels

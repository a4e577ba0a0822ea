// What all losses have in common. A loss gives its value and its gradients in one call, the same bits in
// every call, without allocating and, on CUDA, without waiting for the device; <loss>_cpu is its twin in host
// memory. A workspace may begin at any address. Each exists for T = double, float, Half and BFloat16.
#pragma once

#include <cstdint>

#include "kernels/common/computed.h"
#include "kernels/common/element_types.h"
#include "kernels/common/stream.h"
#include "kernels/losses/loss_status.h"

namespace tyto::kernels {

// Rows of one batch, dense, each with the class or identity that it belongs to.
template <class T>
struct LabelledRows {
  const T* values = nullptr;        // [rows, width]: features or logits
  const int32_t* labels = nullptr;  // [rows], at least 0; of logits, less than width
  int64_t rows = 0, width = 0;
};

// Where a loss puts what it finds. The value is not scaled. Where an input is not finite or a label out of
// range, the value is NaN, and so is each row of a gradient that depends on that input.
template <class T>
struct LossOutput {
  Computed<T>* value = nullptr;  // [1], or the terms that the loss names
  T* gradient = nullptr;         // scale * d value / d values, of their shape; null: not wanted
  double scale = 1;              // the loss scale of training in halves
  LossStatus* status = nullptr;  // may be null; never cleared here, so that several losses can share it
};

}  // namespace tyto::kernels

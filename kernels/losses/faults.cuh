// How a loss says what is wrong with its inputs.
#pragma once

#include "kernels/common/computed.cuh"
#include "kernels/losses/loss.h"

namespace tyto::kernels {

// Joins the fault to *found, whose largest stays.
__device__ inline void report(LossStatus* found, LossFault fault, LossInput input, int64_t row) {
  atomicMax(found, loss_status(fault, input, row));
}

template <class C>
__device__ C not_a_number() {
  return static_cast<C>(nanf(""));
}

}  // namespace tyto::kernels

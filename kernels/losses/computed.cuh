// Elements of T in and out of what a loss computes in.
#pragma once

#include "kernels/common/elements.cuh"
#include "kernels/losses/loss.h"

namespace tyto::kernels {

__device__ inline double computed(double v) { return v; }
template <class T>
__device__ float computed(T v) {
  return as_float(v);
}

template <class T>
__device__ T rounded_to(Computed<T> v) {
  if constexpr (std::is_same_v<T, double>)
    return v;
  else
    return from_float<T>(v);
}

// Joins the fault to *found, whose largest stays.
__device__ inline void report(LossStatus* found, LossFault fault, LossInput input, int64_t row) {
  atomicMax(found, loss_status(fault, input, row));
}

template <class C>
__device__ C not_a_number() {
  return static_cast<C>(nanf(""));
}

}  // namespace tyto::kernels

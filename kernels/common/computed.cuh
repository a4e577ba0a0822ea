// Elements of T in and out of what a kernel computes in.
#pragma once

#include "kernels/common/computed.h"
#include "kernels/common/elements.cuh"

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

}  // namespace tyto::kernels

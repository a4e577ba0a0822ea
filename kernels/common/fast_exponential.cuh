// e^x by the special function units: a product and one instruction, where expf takes eight.
#pragma once

#include "kernels/common/cuda.h"

namespace tyto::kernels {

// Within 2^-24 (4 + 1.25 |x|) of e^x, relative to it: x log2(e) is rounded once and log2(e) itself by a fifth
// of a unit; 2^x is within 2^-22 (PTX ISA, ex2.approx.ftz.f32). 0 where e^x < 2^-126; NaN for NaN.
__device__ __forceinline__ float fast_exponential(float x) {
#ifdef TYTO_EMULATED
  return __expf(x);
#else
  float e;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(e) : "f"(x * 1.44269504f));
  return e;
#endif
}

}  // namespace tyto::kernels

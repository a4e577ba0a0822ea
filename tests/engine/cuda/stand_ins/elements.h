// From elements in device memory to the fp32 numbers that the device multiplies, and from its sums back to
// elements.
#pragma once

#include <cstdint>

#include "tyto/plan.h"
#include "tyto/tensor.h"

namespace tyto::cuda {

// Exact, but for tf32: there the operand keeps 10 bits of its mantissa, to nearest, ties away from zero (PTX
// cvt.rna.tf32).
void load_operands(const void* elements, Precision precision, int64_t count, float* values);

// What follows the sums of one pixel's `outputs`: the residual and the bias, in that order, then ReLU, all in
// fp32, and one rounding to the type of the activations. Null: none.
struct Epilogue {
  const void* residual = nullptr;
  const void* bias = nullptr;
  bool relu = false;
};
void store_results(const float* sums, const Epilogue& epilogue, DType type, int64_t pixels, int64_t outputs,
                   void* results);

}  // namespace tyto::cuda

// From an element type known at run time to one known to the compiler.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "kernels/common/element_types.h"
#include "tyto/tensor.h"

namespace tyto::cuda {

// Calls f.operator()<T>() with T the type of F32, F16 or BF16 elements.
template <class F>
void with_element_type(DType type, const F& f) {
  switch (type) {
    case DType::F16:
      return f.template operator()<kernels::Half>();
    case DType::BF16:
      return f.template operator()<kernels::BFloat16>();
    default:
      return f.template operator()<float>();
  }
}

}  // namespace tyto::cuda

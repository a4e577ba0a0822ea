// The element types of activations on CUDA, named so that contracts compile without the toolkit. A kernel
// declared `template <class T>` over them exists for float, Half and BFloat16.
#pragma once

struct __half;
struct __nv_bfloat16;

namespace tyto::kernels {

using Half = __half;
using BFloat16 = __nv_bfloat16;

}  // namespace tyto::kernels

// From the layout of the CUDA kernels (NHWC) to PyTorch's planes (NCHW).
#pragma once

#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

// Exists for float, Half and BFloat16.
// planes  [x.n, x.channels, x.height, x.width]; must not overlap x
// x.elements() < 2^31, else DeviceError.
template <class T>
void nhwc_to_nchw(Nhwc<const T> x, T* planes, Stream stream);

}  // namespace tyto::kernels

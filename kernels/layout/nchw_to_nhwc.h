// From PyTorch's planes (NCHW) to the layout of the CUDA kernels (NHWC).
#pragma once

#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

// Exists for To in float, Half and BFloat16, with From = To or float, rounded to nearest even, and for double
// from double.
// planes  [out.n, channels, out.height, out.width]
// out     out.channels >= channels; those from `channels` on become 0 (cuDNN likes an image's 3 channels
// padded to 4) out.elements() < 2^31, else DeviceError.
template <class From, class To>
void nchw_to_nhwc(const From* planes, int64_t channels, Nhwc<To> out, Stream stream);

}  // namespace tyto::kernels

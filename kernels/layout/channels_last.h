// Between PyTorch's planes (NCHW) and the CUDA kernels' channels-last layout, and between element types.
#pragma once

#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

// Exists for float, Half and BFloat16.
// planes  [out.n, channels, out.height, out.width]
// out     out.channels >= channels; those from `channels` on become 0 (cuDNN likes an image's 3 channels padded to 4)
// out.elements() < 2^31, else DeviceError.
template <class T>
void channels_last(const float* planes, int64_t channels, Nhwc<T> out, Stream stream);

// Exists for T in float, Half and BFloat16, with U = T or float.
// planes  [x.n, x.channels, x.height, x.width]; must not overlap x
// x.elements() < 2^31, else DeviceError.
template <class T, class U>
void channel_planes(Nhwc<const T> x, U* planes, Stream stream);

// Rounds to nearest, ties to even; what fp16 cannot hold becomes infinite. Exists for each of the three types to
// itself, to float and from float.
// from, to  [count]; they may be the same array if the types are
template <class From, class To>
void convert(const From* from, int64_t count, To* to, Stream stream);

}  // namespace tyto::kernels

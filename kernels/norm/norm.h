// Normalisation and scaling that cannot be folded into the layer before it. Each may run in place.
#pragma once

#include "kernels/common/activation.h"
#include "kernels/common/channel_blocks.h"
#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

// What a result is clamped to: ReLU is {0, inf}, ReLU6 {0, 6}, none {-inf, inf}.
struct Clamp {
  float low, high;
};

// y = (x - mean) / sqrt(variance + epsilon) * scale[c] + shift[c] for channels c < count, with the mean and
// biased variance of each image's channel over height x width (Ulyanov et al. 2016); the channels from count
// on pass unchanged. All results are clamped. Accumulates in double, in a fixed order. x, y          the same
// layout; padding channels of the last block become clamp(0) scale, shift  [count]
void instance_norm_cpu(const ChannelBlocks<const float>& x, const float* scale, const float* shift,
                       int64_t count, float epsilon, Clamp clamp, const ChannelBlocks<float>& y);

// y = x * scale[c] + shift[c], clamped.
// scale, shift  [channels]
void channel_affine_cpu(const ChannelBlocks<const float>& x, const float* scale, const float* shift,
                        Clamp clamp, const ChannelBlocks<float>& y);

// y = x * scales[image, c]: how squeeze-and-excitation weighs channels (Hu et al. 2018).
// x, y    the same layout; padding channels of the last block become 0
// scales  [n, channels, 1, 1] in any channel blocks
void scale_channels_cpu(const ChannelBlocks<const float>& x, const ChannelBlocks<const float>& scales,
                        const ChannelBlocks<float>& y);

// The same on CUDA, for float, Half and BFloat16, with y like x, maybe x itself. x.elements() < 2^31, else
// DeviceError.

// Statistics in float by Welford's and Chan's updates, which lose nothing where the mean is large beside the
// deviation; their order depends on the shapes alone. workspace  instance_norm_workspace_bytes(x's sizes),
// 16-byte aligned
int64_t instance_norm_workspace_bytes(int64_t n, int64_t height, int64_t width, int64_t channels);
template <class T>
void instance_norm(Nhwc<const T> x, const float* scale, const float* shift, int64_t count, float epsilon,
                   Activation activation, T* y, void* workspace, Stream stream);

template <class T>
void channel_affine(Nhwc<const T> x, const float* scale, const float* shift, Activation activation, T* y,
                    Stream stream);

}  // namespace tyto::kernels

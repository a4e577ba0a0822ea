// Normalisation and scaling that cannot be folded into the layer before it. Each may run in place.
#pragma once

#include "kernels/common/activation.h"
#include "kernels/common/channel_blocks.h"
#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

struct GroupNorm {
  int64_t channels = 0;  // the first of the map's, which are normalised; the others pass
  int64_t groups = 1;    // divides `channels`: so many sets of neighbours share a mean and a variance
  float epsilon = 1e-5f;
  Activation activation = Activation::None;  // of all channels
};

// y = activation((x - mean) / sqrt(variance + epsilon) * scale[c] + shift[c]) with the mean and biased
// variance of each image's group over its channels x height x width (Wu and He 2018). As many groups as
// channels are instance normalisation (Ulyanov et al. 2016). Accumulates in double, in a fixed order. x, y
// the same layout; padding channels of the last block become 0 scale, shift  [params.channels], or null: 1
// and 0 moments       [x.n, params.channels, 2], overwritten
void group_norm_cpu(const ChannelBlocks<const float>& x, const float* scale, const float* shift,
                    const GroupNorm& params, const ChannelBlocks<float>& y, double* moments);

// y = activation(x * scale[c] + shift[c]).
// x, y          as above
// scale, shift  [channels]
void channel_affine_cpu(const ChannelBlocks<const float>& x, const float* scale, const float* shift,
                        Activation activation, const ChannelBlocks<float>& y);

// y = x * scales[image, c]: how squeeze-and-excitation weighs channels (Hu et al. 2018).
// x, y    the same layout; padding channels of the last block become 0
// scales  [n, channels, 1, 1] in any channel blocks
void scale_channels_cpu(const ChannelBlocks<const float>& x, const ChannelBlocks<const float>& scales,
                        const ChannelBlocks<float>& y);

// The same on CUDA, for float, Half and BFloat16, with y like x, maybe x itself. x.elements() < 2^31, else
// DeviceError.

// Statistics in float by Welford's and Chan's updates, which lose nothing where the mean is large beside the
// deviation; their order depends on the shapes alone.
// workspace  group_norm_workspace_bytes(x's sizes), 16-byte aligned
int64_t group_norm_workspace_bytes(int64_t n, int64_t height, int64_t width, int64_t channels);
template <class T>
void group_norm(Nhwc<const T> x, const float* scale, const float* shift, const GroupNorm& params, T* y,
                void* workspace, Stream stream);

template <class T>
void channel_affine(Nhwc<const T> x, const float* scale, const float* shift, Activation activation, T* y,
                    Stream stream);

}  // namespace tyto::kernels

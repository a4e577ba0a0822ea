// Each pixel's channels scaled to unit length: the layer that SSD puts behind conv4_3 (Liu et al. 2016, after
// ParseNet).
#pragma once

#include "kernels/common/channel_blocks.h"
#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

struct L2Normalize {
  enum class Epsilon : uint8_t {
    Added,  // x / (length + epsilon): ssd.pytorch, 1e-10
    Least,  // x / max(length, epsilon): torch.nn.functional.normalize, 1e-12
  };
  Epsilon rule = Epsilon::Added;
  float epsilon = 1e-10f;
};

// y = x / length * scale[c], length being the root of the sum of the channels' squares at this pixel.
// Accumulates in double. May run in place.
// x, y   the same layout; padding channels of the last block become 0
// scale  [channels]
void l2_normalize_cpu(const ChannelBlocks<const float>& x, const float* scale, const L2Normalize&,
                      const ChannelBlocks<float>& y);

// The same on CUDA, for float, Half and BFloat16. Accumulates in float: squares of fp16 cannot overflow it,
// those of float do where a value passes 1e19. y       like x; may be x scale   [x.channels] x.elements() <
// 2^31, else DeviceError.
template <class T>
void l2_normalize(Nhwc<const T> x, const float* scale, const L2Normalize& params, T* y, Stream stream);

}  // namespace tyto::kernels

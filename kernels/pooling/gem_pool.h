// Generalised-mean pooling over whole maps: GeM (Radenovic, Tolias and Chum, TPAMI 2019), the pooling of
// re-identification.
#pragma once

#include <cstdint>

#include "kernels/common/channel_blocks.h"
#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

struct GemPool {
  enum class Epsilon : uint8_t {
    Least,  // mean(max(x, epsilon)^power)^(1/power): the paper and fast-reid, 1e-6
    Added,  // (mean(x^power) + epsilon)^(1/power): AGW, 1e-12
  };
  Epsilon rule = Epsilon::Least;
  float epsilon = 1e-6f;
};

// One value a channel of an image. A power of 1 averages, a large one approaches the maximum. As in PyTorch,
// x^power is of floats: it may overflow, and is NaN for a negative x whose power is no whole number. x [n, c,
// H, W], H and W >= 1 power  > 0 y      [n, c, 1, 1], blocked like x Sums in double, rows outermost.
void gem_pool_cpu(const ChannelBlocks<const float>& x, float power, const GemPool&,
                  const ChannelBlocks<float>& y);

// The same on CUDA, for float, Half and BFloat16; sums in float, in an order that depends on the shapes
// alone. y   [x.n, x.channels]; must not overlap x x.elements() < 2^31, else DeviceError.
template <class T>
void gem_pool(Nhwc<const T> x, float power, const GemPool&, T* y, Stream stream);

}  // namespace tyto::kernels

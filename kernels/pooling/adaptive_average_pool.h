// Average pooling onto a grid of given size (PyTorch's AdaptiveAvgPool2d; 1 x 1 is global average pooling).
#pragma once

#include "kernels/common/channel_blocks.h"
#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

// Cell (i, j) of y averages the rows floor(i*H/h) .. ceil((i+1)*H/h) - 1 of x and the columns likewise.
// x [n, c, H, W] and y [n, c, h, w] are blocked alike; H, W, h, w >= 1. Sums in float, rows outermost.
void adaptive_average_pool_cpu(const ChannelBlocks<const float>& x, const ChannelBlocks<float>& y);

// The same on CUDA, for float, Half and BFloat16; sums in float, in an order that depends on the shapes
// alone. y   n and channels like x; must not overlap x x.elements(), y.elements() < 2^31, else DeviceError.
template <class T>
void adaptive_average_pool(Nhwc<const T> x, Nhwc<T> y, Stream stream);

}  // namespace tyto::kernels

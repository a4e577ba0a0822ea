// Average pooling onto a grid of given size (PyTorch's AdaptiveAvgPool2d; 1 x 1 is global average pooling).
#pragma once

#include "kernels/common/channel_blocks.h"

namespace tyto::kernels {

// Cell (i, j) of y averages the rows floor(i*H/h) .. ceil((i+1)*H/h) - 1 of x and the columns likewise.
// x [n, c, H, W] and y [n, c, h, w] are blocked alike; H, W, h, w >= 1. Sums in float, rows outermost.
void adaptive_average_pool_cpu(const ChannelBlocks<const float>& x, const ChannelBlocks<float>& y);

}  // namespace tyto::kernels

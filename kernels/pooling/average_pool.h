// Average pooling (PyTorch's AvgPool2d).
#pragma once

#include "kernels/common/channel_blocks.h"
#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

struct AveragePoolWindow {
  int height = 2, width = 2;
  int stride_height = 2, stride_width = 2;
  int padding_height = 0, padding_width = 0;  // of zeros, on either side
  bool count_padding = true;                  // count_include_pad
  int divisor = 0;                            // divisor_override; 0: the window's cells
};

// Element (r, s) of y is the sum of x over the window whose first row is r * stride_height - padding_height,
// its columns likewise, over the number of its cells in the padded map, or, without count_padding, in the map
// alone. y's size says whether a last, partly outer window counts (ceil_mode). A window without a pixel in
// the map gives 0. x [n, c, H, W] and y [n, c, h, w] are blocked alike. Sums in float, rows outermost.
void average_pool_cpu(const ChannelBlocks<const float>& x, const AveragePoolWindow& window,
                      const ChannelBlocks<float>& y);

// The same on CUDA, for float, Half and BFloat16: the same bits, rounded to T.
// y   n and channels like x; must not overlap x
// x.elements(), y.elements() < 2^31, else DeviceError.
template <class T>
void average_pool(Nhwc<const T> x, const AveragePoolWindow& window, Nhwc<T> y, Stream stream);

}  // namespace tyto::kernels

// Depthwise convolution: each channel has its own filter (groups = channels = outputs), which matrix units
// cannot use.
#pragma once

#include "kernels/common/activation.h"
#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

struct DepthwiseConvolution {
  int kernel = 3;  // square
  int stride = 1;
  int padding_top = 0, padding_left = 0;  // those of the other sides follow from y's size
  int dilation = 1;
  Activation activation = Activation::None;
};

// y[i, r, s, c] = activation(bias[c] + sum of weights[a, b, c] * x[i, row, column, c] over a, b < kernel)
// with row = r * stride - padding_top + a * dilation, column = s * stride - padding_left + b * dilation, x
// being 0 outside of the map. Multiplies and adds in fp32, starting from the bias, rows outermost. Exists for
// float, Half and BFloat16. weights  [kernel, kernel, channels] bias     [channels], may be null x height,
// width >= 1 y        n and channels like x, any height and width; must not overlap x x.elements(),
// y.elements() < 2^31, else DeviceError.
template <class T>
void depthwise_convolution(Nhwc<const T> x, const T* weights, const T* bias,
                           const DepthwiseConvolution& params, Nhwc<T> y, Stream stream);

}  // namespace tyto::kernels

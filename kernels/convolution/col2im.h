// The second half of a transposed convolution: what each input pixel gives to a window of the output, added
// up.
#pragma once

#include "kernels/common/activation.h"
#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

struct Col2Im {
  int kernel = 2;  // square
  int stride = 2;
  int padding =
      0;  // cut off the output's top and left; what is cut off the other sides follows from y's size
  int dilation = 1;
  Activation activation = Activation::None;
};

// Pixel (h, w) of `columns` gives its value (r, s, c) to y[h * stride - padding + r * dilation,
// w * stride - padding + s * dilation, c]; y = activation(bias[c] + the sum of what is given), which is
// PyTorch's ConvTranspose2d where columns = x times the weights. Sums in float, r outermost, whoever runs
// beside. columns  [n, height, width, kernel * kernel * y.channels] bias     [y.channels] or null y        n
// as columns'; must not overlap them columns.elements(), y.elements() < 2^31, else DeviceError. Exists for
// float, Half and BFloat16.
template <class T>
void col2im(Nhwc<const T> columns, const T* bias, const Col2Im&, Nhwc<T> y, Stream stream);

}  // namespace tyto::kernels

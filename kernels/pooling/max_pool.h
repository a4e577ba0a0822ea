// Max pooling (PyTorch's MaxPool2d).
#pragma once

#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

struct MaxPoolWindow {
  int kernel = 2;  // square
  int stride = 2;
  int padding_top = 0, padding_left = 0;  // of -infinity; those of the other sides follow from y's size
};

// y[i, r, s, c] = the largest x[i, r * stride - padding_top + a, s * stride - padding_left + b, c] over a, b
// < kernel that lies in the map; NaN where one is NaN. y's size says whether a last, partly outer window
// counts (ceil_mode), but every window must have a pixel in the map. Exists for float, Half and BFloat16. y
// n and channels like x; must not overlap x x.elements(), y.elements() < 2^31, else DeviceError.
template <class T>
void max_pool(Nhwc<const T> x, const MaxPoolWindow& window, Nhwc<T> y, Stream stream);

}  // namespace tyto::kernels

// A border of zeros: cuDNN's fast engines want the same padding on all sides.
#pragma once

#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

// y[i, r, s] = x[i, r - top, s - left], 0 where x has no such pixel. Exists for float, Half and BFloat16.
// y   n and channels like x, any height and width; must not overlap x
// top, left  of any sign
// x.elements(), y.elements() < 2^31, else DeviceError.
template <class T>
void pad(Nhwc<const T> x, int64_t top, int64_t left, Nhwc<T> y, Stream stream);

}  // namespace tyto::kernels

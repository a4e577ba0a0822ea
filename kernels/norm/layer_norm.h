// Layer normalisation (Ba, Kiros and Hinton 2016) of rows.
#pragma once

#include <cstdint>

#include "kernels/common/element_types.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

// y = (x - mean) / sqrt(variance + epsilon) * scale[c] + shift[c], with the mean and biased variance of each
// row. In float, for float, Half and BFloat16: first the mean, then the squares of what deviates from it, so
// that a mean that is large beside the deviation costs nothing; in an order that depends on the width alone.
// x, y          [rows, width]; y may be x
// scale, shift  [width], or null: 1 and 0
// rows < 2^31 and width < 2^31, else DeviceError. On the CPU oneDNN does it.
template <class T>
void layer_norm(const T* x, int64_t rows, int64_t width, const float* scale, const float* shift,
                float epsilon, T* y, Stream stream);

}  // namespace tyto::kernels

// What a convolution's library epilogue leaves over: residual, bias and activation.
#pragma once

#include "kernels/common/activation.h"
#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

// y = activation(x + residual + bias[c]), added in that order in fp32. Exists for float, Half and BFloat16.
// residual, y  like x; y may be x or the residual
// bias         [x.channels]
// residual and bias may be null: then they add nothing.
// x.elements() < 2^31, else DeviceError.
template <class T>
void epilogue(Nhwc<const T> x, const T* bias, const T* residual, Activation activation, T* y, Stream stream);

}  // namespace tyto::kernels

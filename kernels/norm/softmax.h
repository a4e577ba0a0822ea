// Softmax along one dimension of an array.
#pragma once

#include "kernels/common/axis.h"
#include "kernels/common/element_types.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

// y = e^(x - largest) / sum of e^(x - largest), over the dimension `axis.size` >= 1. In float, for float,
// Half and BFloat16, in an order that depends on the sizes alone. As in torch, a NaN or +infinity makes all
// that it is summed with NaN, and so do -infinities alone. x, y  [outer, size, inner]; y may be x outer *
// inner < 2^39 and size < 2^31, else DeviceError. On the CPU oneDNN does it.
template <class T>
void softmax(const T* x, const Axis& axis, T* y, Stream stream);

}  // namespace tyto::kernels

// Mean, maximum and sum along one dimension of an array.
#pragma once

#include <cstdint>

#include "kernels/common/axis.h"
#include "kernels/common/element_types.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

enum class Reduction : uint8_t { Mean, Max, Sum };

// Over the dimension `axis.size` >= 1, for float, Half and BFloat16. Sums in float, in an order that depends
// on the sizes alone; a NaN makes its result NaN, the maximum too, as in torch. x  [outer, size, inner] y
// [outer, inner]; must not overlap x Elements of x < 2^31, else DeviceError. On the CPU oneDNN does it.
template <class T>
void reduce(const T* x, const Axis& axis, Reduction reduction, T* y, Stream stream);

}  // namespace tyto::kernels

// How many values are infinite or NaN.
#pragma once

#include <cstdint>

#include "kernels/common/element_types.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

// Adds to *count the number of values [n] that are infinite or NaN; at 2^32 - 1 it may wrap, n being less.
template <class T>
void count_not_finite(const T* values, int64_t n, uint32_t* count, Stream stream);

}  // namespace tyto::kernels

// Losses that are means over rows, on CUDA: where kernels leave what rows come to, and the mean of it. Of the
// family's own use.
#pragma once

#include <cstdint>

#include "kernels/common/stream.h"

namespace tyto::kernels {

// *value = sum of losses / (rows - *ignored), in double and an order that depends on `count` alone. ignored
// may be null.
template <class C>
void mean_of_losses(const double* losses, int64_t count, double rows, const unsigned long long* ignored,
                    C* value, Stream);

}  // namespace tyto::kernels

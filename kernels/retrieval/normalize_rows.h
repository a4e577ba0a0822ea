// Rows to unit length.
#pragma once

#include <cstdint>

#include "kernels/common/stream.h"

namespace tyto::kernels {

// The order in which a row's squares are summed, on every device: partial sum l takes the elements l, l + 32,
// ... in turn, and then the upper half of the partial sums is added to the lower half until one is left.
inline constexpr int kNormPartialSums = 32;

// rows [n, width] in place: f / ||f||, the norm summed and the division done in double. A zero row stays
// zero, so that it scores 0 with everything (the reference divides 0 by 0); a row with a NaN or infinity
// becomes NaN as a whole. Returns the number of rows that became NaN.
int64_t normalize_rows_cpu(float* rows, int64_t n, int64_t width);

// The same bits on CUDA, in device memory. The number of rows that became NaN is added to *not_finite (may be
// null).
void normalize_rows(float* rows, int64_t n, int64_t width, int64_t* not_finite, Stream);

}  // namespace tyto::kernels

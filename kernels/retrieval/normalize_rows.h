// Rows to unit length.
#pragma once

#include <cstdint>

namespace tyto::kernels {

// rows [n, width] in place: f / ||f||, the norm summed and the division done in double. A zero row stays
// zero, so that it scores 0 with everything (the reference divides 0 by 0); a row with a NaN or infinity
// becomes NaN as a whole. Returns the number of rows that became NaN.
int64_t normalize_rows_cpu(float* rows, int64_t n, int64_t width);

}  // namespace tyto::kernels

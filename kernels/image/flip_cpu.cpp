#include <algorithm>

#include "kernels/image/flip.h"

namespace tyto::kernels {

void flip_horizontal_cpu(const float* in, int64_t rows, int64_t width, float* out) {
  for (int64_t row = 0; row < rows; ++row, in += width, out += width) std::reverse_copy(in, in + width, out);
}

}  // namespace tyto::kernels

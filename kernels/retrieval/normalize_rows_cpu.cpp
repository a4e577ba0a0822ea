#include "kernels/retrieval/normalize_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tyto::kernels {

int64_t normalize_rows_cpu(float* rows, int64_t n, int64_t width) {
  int64_t broken = 0;
  for (int64_t i = 0; i < n; ++i) {
    float* row = rows + i * width;
    double squares = 0;
    for (int64_t j = 0; j < width; ++j) squares += static_cast<double>(row[j]) * row[j];
    if (squares == 0) continue;
    if (!std::isfinite(squares)) {
      std::fill(row, row + width, std::numeric_limits<float>::quiet_NaN());
      ++broken;
      continue;
    }
    const double norm = std::sqrt(squares);
    for (int64_t j = 0; j < width; ++j) row[j] = static_cast<float>(row[j] / norm);
  }
  return broken;
}

}  // namespace tyto::kernels

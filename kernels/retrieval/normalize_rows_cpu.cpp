#include "kernels/retrieval/normalize_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tyto::kernels {
namespace {

double sum_of_squares(const float* row, int64_t width) {
  double partial[kNormPartialSums] = {};
  for (int64_t begin = 0; begin < width; begin += kNormPartialSums) {
    const int count = static_cast<int>(std::min<int64_t>(width - begin, kNormPartialSums));
    for (int l = 0; l < count; ++l) partial[l] += static_cast<double>(row[begin + l]) * row[begin + l];
  }
  for (int half = kNormPartialSums / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) partial[l] += partial[l + half];
  return partial[0];
}

}  // namespace

int64_t normalize_rows_cpu(float* rows, int64_t n, int64_t width) {
  int64_t broken = 0;
  for (int64_t i = 0; i < n; ++i) {
    float* row = rows + i * width;
    const double squares = sum_of_squares(row, width);
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

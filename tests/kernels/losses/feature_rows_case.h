// Rows on their way into a loss and back, on the CPU and on the device under test.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/losses/feature_rows.h"

namespace tyto::kernels {

struct RowsResult {
  std::vector<double> x, lengths, gradients;
  LossStatus found = 0;
};

// What the numbers should be, by the formula and in double.
inline RowsResult rows_by_formula(const std::vector<double>& f, const std::vector<double>& g, int64_t rows,
                                  int64_t width, const RowsAs& as, double scale) {
  RowsResult r{.x = f, .lengths = std::vector<double>(static_cast<size_t>(rows)), .gradients = g};
  for (int64_t i = 0; i < rows; ++i) {
    long double squares = 0;
    for (int64_t j = 0; j < width; ++j)
      squares += static_cast<long double>(f[i * width + j]) * f[i * width + j];
    const double length = static_cast<double>(std::sqrt(squares)), divisor = length + as.added_length;
    r.lengths[i] = length;
    long double along = 0;
    for (int64_t j = 0; j < width; ++j) along += g[i * width + j] * f[i * width + j] / divisor;
    for (int64_t j = 0; j < width; ++j) {
      const int64_t at = i * width + j;
      if (as.unit) {
        r.x[at] = length == 0 ? 0 : f[at] / divisor;
        r.gradients[at] = length == 0 ? 0 : g[at] / divisor - r.x[at] * static_cast<double>(along) / length;
      }
      r.gradients[at] *= scale;
    }
  }
  return r;
}

// unit: half a last place of the type in which the numbers stand. Each of x is one rounded quotient of sums
// that are held in double; a gradient adds the rounding of the product along x, at most width + 3 roundings
// of terms whose sizes add up to at most sum |g|.
inline void expect_rows(const RowsResult& got, const RowsResult& want, const std::vector<double>& g,
                        int64_t rows, int64_t width, bool unit_rows, double scale, double unit) {
  for (int64_t i = 0; i < rows; ++i) {
    double size = 0;
    for (int64_t j = 0; j < width; ++j) size += std::abs(g[i * width + j]);
    const double length = std::max(want.lengths[i], 1e-3);
    if (unit_rows) {
      EXPECT_NEAR(got.lengths[i], want.lengths[i],
                  (static_cast<double>(width) / 64 + 8) * unit * want.lengths[i]);
    }
    for (int64_t j = 0; j < width; ++j) {
      const int64_t at = i * width + j;
      EXPECT_NEAR(got.x[at], want.x[at], (static_cast<double>(width) / 64 + 8) * unit * std::abs(want.x[at]))
          << i << ", " << j;
      EXPECT_NEAR(got.gradients[at], want.gradients[at],
                  unit * scale * (static_cast<double>(width) + 8) * size / (unit_rows ? length : 1.0))
          << i << ", " << j;
    }
  }
}

}  // namespace tyto::kernels

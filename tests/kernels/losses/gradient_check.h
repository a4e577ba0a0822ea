// A gradient beside central differences of its value, in double.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

namespace tyto::kernels {

// Checks at most `most` of the coordinates, spread evenly. A difference over a step h is wrong by a term of
// h^2, which the difference over 2 h shows fourfold, and by the value's own rounding over h: these are the
// tolerance. `roundings`: units in the last place by which the value may be wrong. Where a step crosses a
// kink (a hinge, an exchange of the hardest pair) no difference says anything: that fails too, and the test
// wants other numbers.
inline void expect_gradient(std::vector<double> x, const std::vector<double>& gradient,
                            const std::function<double(const std::vector<double>&)>& value,
                            double roundings = 64, size_t most = 64) {
  ASSERT_EQ(x.size(), gradient.size());
  double largest = 0;
  for (double g : gradient) largest = std::max(largest, std::abs(g));
  const size_t step = std::max<size_t>(1, x.size() / most);
  for (size_t i = 0; i < x.size(); i += step) {
    const double at = x[i], h = 6e-6 * std::max(1.0, std::abs(at));
    const auto difference = [&](double by) {
      x[i] = at + by;
      const double above = value(x);
      x[i] = at - by;
      const double below = value(x);
      x[i] = at;
      return std::pair{(above - below) / (2 * by), std::max(std::abs(above), std::abs(below))};
    };
    const auto [near, size] = difference(h);
    const auto [far, unused] = difference(2 * h);
    const double rounding = roundings * std::numeric_limits<double>::epsilon() * size / h;
    const double tolerance = std::abs(far - near) + rounding;
    EXPECT_LE(std::abs(far - near), 1e-5 * largest + 2 * rounding) << "a kink at coordinate " << i;
    EXPECT_NEAR(gradient[i], near, tolerance) << "coordinate " << i;
  }
}

}  // namespace tyto::kernels

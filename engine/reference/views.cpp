// Views of an image, and features summed over them.
#include <algorithm>
#include <cmath>

#include "engine/reference/operators.h"

namespace tyto {
namespace {

// Keys' cubic convolution kernel with a = -0.75, which torch takes.
double keys(double distance) {
  constexpr double a = -0.75;
  const double d = std::abs(distance);
  if (d <= 1) return (a + 2) * d * d * d - (a + 3) * d * d + 1;
  if (d < 2) return a * d * d * d - 5 * a * d * d + 8 * a * d - 4 * a;
  return 0;
}

}  // namespace

Results reference(const FlipHorizontal&, const Call& call) {
  const Array& x = call.x();
  Array y = call.result();
  for_each_element(x.shape, [&](int64_t n, int64_t c, int64_t i, int64_t j) {
    y.at(n, c, i, j) = x.at(n, c, i, x.shape[3] - 1 - j);
  });
  return y;
}

Results reference(const RescaleBicubic& op, const Call& call) {
  const Array& x = call.x();
  Array y = call.result();
  for_each_element(y.shape, [&](int64_t n, int64_t c, int64_t i, int64_t j) {
    const double down = (static_cast<double>(i) + 0.5) / op.factor - 0.5,
                 across = (static_cast<double>(j) + 0.5) / op.factor - 0.5;
    double sum = 0;
    for (auto row = static_cast<int64_t>(std::floor(down)) - 1; row < down + 2; ++row)
      for (auto column = static_cast<int64_t>(std::floor(across)) - 1; column < across + 2; ++column)
        sum += keys(down - static_cast<double>(row)) * keys(across - static_cast<double>(column)) *
               x.at(n, c, std::clamp<int64_t>(row, 0, x.shape[2] - 1),
                    std::clamp<int64_t>(column, 0, x.shape[3] - 1));
    y.at(n, c, i, j) = sum;
  });
  return y;
}

Results reference(const NormalizedSum&, const Call& call) {
  const std::vector<const Array*>& features = call.in;
  Array y = *features[0];
  for (size_t f = 1; f < features.size(); ++f)
    for (size_t i = 0; i < y.values.size(); ++i) y.values[i] += features[f]->values[i];
  const auto width = static_cast<size_t>(y.shape[1]);
  for (size_t row = 0; row < static_cast<size_t>(y.shape[0]); ++row) {
    double squares = 0;
    for (size_t i = 0; i < width; ++i) squares += y.values[row * width + i] * y.values[row * width + i];
    if (squares == 0) continue;
    for (size_t i = 0; i < width; ++i) y.values[row * width + i] /= std::sqrt(squares);
  }
  return y;
}

}  // namespace tyto

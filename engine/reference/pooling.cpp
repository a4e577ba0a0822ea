// Pooling.
#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/reference/operators.h"

namespace tyto {

Results reference(const MaxPool& op, const Call& call) {
  Array y = call.result();
  for (int64_t n = 0; n < y.shape[0]; ++n)
    for (int64_t c = 0; c < y.shape[1]; ++c)
      for (int64_t i = 0; i < y.shape[2]; ++i)
        for (int64_t j = 0; j < y.shape[3]; ++j) {
          double best = -std::numeric_limits<double>::infinity();
          for (int64_t r = 0; r < op.kernel; ++r)
            for (int64_t s = 0; s < op.kernel; ++s) {
              const int64_t row = i * op.stride - op.padding.top + r,
                            column = j * op.stride - op.padding.left + s;
              if (row < 0 || column < 0 || row >= call.x().shape[2] || column >= call.x().shape[3]) continue;
              best = std::max(best, call.x().at(n, c, row, column));
            }
          y.at(n, c, i, j) = best;
        }
  return y;
}

Results reference(const AdaptiveAveragePool& op, const Call& call) {
  Array y = call.result();
  for (int64_t n = 0; n < y.shape[0]; ++n)
    for (int64_t c = 0; c < y.shape[1]; ++c)
      for (int64_t i = 0; i < op.height; ++i)
        for (int64_t j = 0; j < op.width; ++j) {
          const int64_t top = i * call.x().shape[2] / op.height,
                        bottom = ((i + 1) * call.x().shape[2] + op.height - 1) / op.height;
          const int64_t left = j * call.x().shape[3] / op.width,
                        right = ((j + 1) * call.x().shape[3] + op.width - 1) / op.width;
          double sum = 0;
          for (int64_t row = top; row < bottom; ++row)
            for (int64_t column = left; column < right; ++column) sum += call.x().at(n, c, row, column);
          y.at(n, c, i, j) = sum / static_cast<double>((bottom - top) * (right - left));
        }
  return y;
}

Results reference(const GemPool& op, const Call& call) {
  Array y = call.result();
  const Array& x = call.x();
  const double power = call.values(0)[0], area = static_cast<double>(x.shape[2] * x.shape[3]);
  const bool clamps = op.rule == GemPool::Epsilon::Least;
  for (int64_t n = 0; n < y.shape[0]; ++n)
    for (int64_t c = 0; c < y.shape[1]; ++c) {
      double sum = 0;
      for (int64_t i = 0; i < x.shape[2]; ++i)
        for (int64_t j = 0; j < x.shape[3]; ++j) {
          const double v = x.at(n, c, i, j);
          sum += std::pow(clamps ? std::max<double>(v, op.epsilon) : v, power);
        }
      y.at(n, c, 0, 0) = std::pow(sum / area + (clamps ? 0 : op.epsilon), 1 / power);
    }
  return y;
}

Results reference(const AveragePool& op, const Call& call) {
  Array y = call.result();
  const Array& x = call.x();
  const int64_t height = x.shape[2], width = x.shape[3];
  for_each_element(y.shape, [&](int64_t n, int64_t c, int64_t i, int64_t j) {
    double sum = 0, padded = 0, inside = 0;
    for (int64_t r = 0; r < op.kernel; ++r)
      for (int64_t s = 0; s < op.kernel; ++s) {
        const int64_t row = i * op.stride - op.padding + r, column = j * op.stride - op.padding + s;
        if (row >= height + op.padding || column >= width + op.padding) continue;
        ++padded;
        if (row < 0 || column < 0 || row >= height || column >= width) continue;
        ++inside;
        sum += x.at(n, c, row, column);
      }
    const double cells = op.divisor != 0 ? op.divisor : op.count_padding ? padded : inside;
    y.at(n, c, i, j) = sum == 0 ? 0 : sum / cells;
  });
  return y;
}

Results reference(const Reduce& op, const Call& call) {
  Array y = call.result();
  const Array& x = call.x();
  const size_t axis = call.axis(op.axis);
  int64_t inner = 1;
  for (size_t d = axis + 1; d < x.shape.rank(); ++d) inner *= x.shape[d];
  const int64_t size = x.shape[axis];
  for (size_t i = 0; i < y.values.size(); ++i) {
    const auto at = [&](int64_t k) {
      const auto place = static_cast<int64_t>(i);
      return x.values[static_cast<size_t>((place / inner * size + k) * inner + place % inner)];
    };
    double result = op.reduction == kernels::Reduction::Max ? at(0) : 0;
    for (int64_t k = 0; k < size; ++k)
      result = op.reduction == kernels::Reduction::Max ? std::max(result, at(k)) : result + at(k);
    y.values[i] = op.reduction == kernels::Reduction::Mean ? result / static_cast<double>(size) : result;
  }
  return y;
}

}  // namespace tyto

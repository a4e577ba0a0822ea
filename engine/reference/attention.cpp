// Products of values with each other.
#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/reference/operators.h"

namespace tyto {

Results reference(const MatMul& op, const Call& call) {
  Array y = call.result();
  const Array &a = call.x(), &b = *call.in[1];
  const size_t rank = y.shape.rank();
  const int64_t m = y.shape[rank - 2], n = y.shape[rank - 1],
                k = a.shape[a.shape.rank() - 1 - op.transpose_a];
  const auto at = [](const Array& x, int64_t item, int64_t row, int64_t column) {
    const int64_t rows = x.shape[x.shape.rank() - 2], columns = x.shape[x.shape.rank() - 1];
    return x.values[static_cast<size_t>((item * rows + row) * columns + column)];
  };
  for (int64_t i = 0; i < y.shape.elements(); ++i) {
    const int64_t item = i / (m * n), row = i / n % m, column = i % n, of_b = b.shape.rank() == 2 ? 0 : item;
    double sum = 0;
    for (int64_t t = 0; t < k; ++t)
      sum += (op.transpose_a ? at(a, item, t, row) : at(a, item, row, t)) *
             (op.transpose_b ? at(b, of_b, column, t) : at(b, of_b, t, column));
    y.values[static_cast<size_t>(i)] = op.scale * sum;
  }
  return y;
}

Results reference(const Attention& op, const Call& call) {
  Array y = call.result();
  const Array &q = call.x(), &k = *call.in[1], &v = *call.in[2];
  const Array* const bias = op.bias ? call.in[3] : nullptr;
  const Array* const mask = op.mask ? call.in[3 + op.bias] : nullptr;
  const int64_t queries = q.shape[1], keys = k.shape[1], depth = q.shape[2] / op.heads,
                width = v.shape[2] / op.heads;
  const auto token = [](const Array& x, int64_t b, int64_t row, int64_t column) {
    return x.values[static_cast<size_t>((b * x.shape[1] + row) * x.shape[2] + column)];
  };
  std::vector<double> weights(static_cast<size_t>(keys));
  for (int64_t b = 0; b < q.shape[0]; ++b)
    for (int64_t h = 0; h < op.heads; ++h)
      for (int64_t i = 0; i < queries; ++i) {
        double largest = -std::numeric_limits<double>::infinity(), sum = 0;
        for (int64_t j = 0; j < keys; ++j) {
          double& w = weights[static_cast<size_t>(j)];
          w = 0;
          for (int64_t d = 0; d < depth; ++d)
            w += token(q, b, i, h * depth + d) * token(k, b, j, h * depth + d);
          w *= op.scale;
          if (bias) w += bias->at(b % bias->shape[0], bias->shape[1] == 1 ? 0 : h, i, j);
          if (mask && token(*mask, b % mask->shape[0], mask->shape[1] == 1 ? 0 : i, j) == 0)
            w = -std::numeric_limits<double>::infinity();
          largest = std::max(largest, w);
        }
        if (std::isinf(largest)) continue;  // no key: zeros
        for (double& w : weights) sum += w = std::exp(w - largest);
        for (int64_t e = 0; e < width; ++e) {
          double& to = y.values[static_cast<size_t>((b * queries + i) * v.shape[2] + h * width + e)];
          for (int64_t j = 0; j < keys; ++j)
            to += weights[static_cast<size_t>(j)] / sum * token(v, b, j, h * width + e);
        }
      }
  return y;
}

Results reference(const PositionAttention&, const Call& call) {
  Array y = call.result();
  const Array &q = call.x(), &k = *call.in[1], &v = *call.in[2], &x = *call.in[3];
  const double gamma = call.weight(0).values[0];
  const int64_t depth = q.shape[1], width = q.shape[3], positions = q.shape[2] * width;
  std::vector<double> weights(static_cast<size_t>(positions));
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t i = 0; i < positions; ++i) {
      double largest = -std::numeric_limits<double>::infinity(), sum = 0;
      for (int64_t j = 0; j < positions; ++j) {
        double& score = weights[static_cast<size_t>(j)];
        score = 0;
        for (int64_t c = 0; c < depth; ++c)
          score += q.at(n, c, i / width, i % width) * k.at(n, c, j / width, j % width);
        largest = std::max(largest, score);
      }
      for (double& score : weights) sum += score = std::exp(score - largest);
      for (int64_t c = 0; c < x.shape[1]; ++c) {
        double attended = 0;
        for (int64_t j = 0; j < positions; ++j)
          attended += weights[static_cast<size_t>(j)] / sum * v.at(n, c, j / width, j % width);
        y.at(n, c, i / width, i % width) = gamma * attended + x.at(n, c, i / width, i % width);
      }
    }
  return y;
}

}  // namespace tyto

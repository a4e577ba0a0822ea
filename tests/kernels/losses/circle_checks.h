// What the circle loss must do, on the CPU and on the device under test.
#pragma once

#include "kernels/losses/circle.h"
#include "kernels/losses/labelled_case.h"

namespace tyto::kernels {

// By its definition over the pairs i < j.
inline double circle_by_definition(const LabelledBatch& batch, double margin, double gamma) {
  const int64_t n = batch.rows(), d = batch.width();
  const auto unit_dot = [&](int64_t i, int64_t j) {
    double dot = 0, a = 0, b = 0;
    for (int64_t k = 0; k < d; ++k) {
      const double x = batch.features[i * d + k], y = batch.features[j * d + k];
      dot += x * y;
      a += x * x;
      b += y * y;
    }
    return dot / std::sqrt(a * b);
  };
  double positive = 0, negative = 0;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = i + 1; j < n; ++j) {
      const double s = unit_dot(i, j);
      if (batch.labels[i] == batch.labels[j])
        positive += std::exp(-gamma * std::max(1 + margin - s, 0.0) * (s - (1 - margin)));
      else
        negative += std::exp(gamma * std::max(s + margin, 0.0) * (s - margin));
    }
  return std::log1p(positive * negative);
}

inline void check_circle(const RunLoss& run) {
  const LossResult golden = run(golden_batch());
  expect_golden(golden, 47.023863981, 35.859166791);
  const LabelledBatch random = random_batch(37, 9, 5);
  EXPECT_NEAR(run(random).value, circle_by_definition(random, 0.25, 32), 1e-11 * run(random).value);
}

inline void check_circle_alone(const RunLoss& run) {
  expect_nothing(run(golden_batch({3, 3, 3, 3, 3, 3, 3, 3})));  // no negative
  expect_nothing(run(golden_batch({0, 1, 2, 3, 4, 5, 6, 7})));  // no positive
  expect_nothing(run({.features = {1, 2, 3}, .labels = {4}}));
  expect_nothing(run({}));
}

// The brackets are constants of the gradient, so differences of the loss itself would miss it: of the loss
// with brackets held at the batch's own products.
inline void check_circle_gradient(const RunLoss& run) {
  const LabelledBatch batch = random_batch(7, 5, 3);
  const int64_t n = batch.rows(), d = batch.width();
  const auto products = [&](const std::vector<double>& f) {
    std::vector<double> s(static_cast<size_t>(n * n));
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double dot = 0, a = 0, b = 0;
        for (int64_t k = 0; k < d; ++k) {
          dot += f[i * d + k] * f[j * d + k];
          a += f[i * d + k] * f[i * d + k];
          b += f[j * d + k] * f[j * d + k];
        }
        s[i * n + j] = dot / std::sqrt(a * b);
      }
    return s;
  };
  const std::vector<double> held = products(batch.features);
  expect_gradient(
      batch.features, run(batch).gradient,
      [&](const std::vector<double>& x) {
        const std::vector<double> s = products(x);
        double positive = 0, negative = 0;
        for (int64_t i = 0; i < n; ++i)
          for (int64_t j = i + 1; j < n; ++j)
            if (batch.labels[i] == batch.labels[j])
              positive += std::exp(-32 * std::max(1.25 - held[i * n + j], 0.0) * (s[i * n + j] - 0.75));
            else
              negative += std::exp(32 * std::max(held[i * n + j] + 0.25, 0.0) * (s[i * n + j] - 0.25));
        return std::log1p(positive * negative);
      },
      512);
}

// In T beside double on the same rounded features. Products of unit rows are wrong by some roundings of C,
// logits by gamma times 2.5 as many, and a value of L by that over L; the gradient is rounded to T at last.
template <class T>
void check_circle_type(const RunLoss& run, const RunLoss& in_double) {
  LabelledBatch batch = rounded_batch<T>(random_batch(33, 40, 4));
  batch.scale = 16;
  const double logit = 32 * 2.5 * 16 * kHalfUlp<Computed<T>>;
  expect_close(run(batch), in_double(batch), logit, 4 * logit + 2 * kHalfUlp<T>);
}

}  // namespace tyto::kernels

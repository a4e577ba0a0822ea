// What margin_softmax promises, for CPU and CUDA. `run` is the one or the other.
#pragma once

#include <string>

#include "kernels/losses/gradient_check.h"
#include "kernels/losses/margin_softmax.h"
#include "kernels/losses/pairwise_case.h"
#include "kernels/losses/stored_values.h"

namespace tyto::kernels::margin {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct Case {
  pairs::Batch batch;
  std::vector<double> weights;  // [width, classes]
  int64_t classes = 1;
  MarginSoftmax options;
  double scale = 1;
  bool features_gradient = true, weights_gradient = true;
};

struct Result {
  double value = 0;
  std::vector<double> features, weights;  // gradients
  LossStatus status = 0;
};

constexpr MarginSoftmax kMethods[] = {kArcFace, kCosFace, kSphereFace};

// W[d][c] = cos(0.53 (d + 1)(c + 1)).
inline Case golden_case(const MarginSoftmax& options) {
  Case c{.batch = pairs::golden_batch({0, 0, 0, 1, 1, 2, 2, 3}), .classes = 5, .options = options};
  for (int d = 1; d <= 6; ++d)
    for (int k = 1; k <= 5; ++k) c.weights.push_back(std::cos(0.53 * d * k));
  return c;
}

inline Case random_case(int64_t rows, int64_t width, int64_t classes, const MarginSoftmax& options) {
  Case c{.batch = pairs::random_batch(rows, width, 1), .classes = classes, .options = options};
  std::mt19937 random(static_cast<uint32_t>(rows + width + classes));
  std::normal_distribution<double> normal;
  for (int64_t i = 0; i < width * classes; ++i) c.weights.push_back(normal(random));
  for (int32_t& label : c.batch.labels) label = static_cast<int32_t>(random() % static_cast<size_t>(classes));
  return c;
}

// The definition by angles; and how far a float type of this rounding may be off.
struct Expected {
  double value = 0, value_error = 0;
  std::vector<double> features, weights, features_error, weights_error;
};

inline Expected expected(const Case& c, double rounding) {
  const auto rows = static_cast<size_t>(c.batch.rows), width = static_cast<size_t>(c.batch.width),
             classes = static_cast<size_t>(c.classes);
  const MarginSoftmax& o = c.options;
  const auto unit = [&](const std::vector<double>& from, size_t count, size_t step, size_t stride,
                        std::vector<double>& lengths) {
    std::vector<double> x(count * width);
    for (size_t i = 0; i < count; ++i) {
      double squares = 0;
      for (size_t d = 0; d < width; ++d) squares += std::pow(from[i * step + d * stride], 2);
      lengths.push_back(std::sqrt(squares));
      for (size_t d = 0; d < width; ++d) x[i * width + d] = from[i * step + d * stride] / lengths[i];
    }
    return x;
  };
  std::vector<double> lengths, w_lengths;
  const auto x = unit(c.batch.features, rows, width, 1, lengths),
             w = unit(c.weights, classes, 1, classes, w_lengths);
  std::vector<double> gx(rows * width), gw(classes * width);
  const auto n = static_cast<double>(rows), terms = static_cast<double>(classes),
             depth = static_cast<double>(width);
  Expected out;
  double largest_error = 0;  // of d value / d cosine, times rows
  for (size_t i = 0; i < rows; ++i) {
    const auto y = static_cast<size_t>(c.batch.labels[i]);
    std::vector<double> logits(classes), slopes(classes, 1);
    for (size_t k = 0; k < classes; ++k)
      for (size_t d = 0; d < width; ++d) logits[k] += x[i * width + d] * w[k * width + d];
    const double angle = std::acos(logits[y]), m = o.margin;
    double bend = 0;  // of the slope, over the cosine
    if (o.method == AngularMargin::CosFace) {
      logits[y] -= m;
    } else if (o.method == AngularMargin::SphereFace) {
      const double k = std::floor(m * angle / std::numbers::pi), sign = std::fmod(k, 2) == 0 ? 1 : -1;
      logits[y] = sign * std::cos(m * angle) - 2 * k;
      slopes[y] = sign * m * std::sin(m * angle) / std::sin(angle);
      bend = m * m * m * m;
    } else if (angle <= std::numbers::pi - m) {
      logits[y] = std::cos(angle + m);
      slopes[y] = std::sin(angle + m) / std::sin(angle);
      bend = std::sin(m) / std::pow(std::sin(angle), 3);
    } else {
      logits[y] -= m * std::sin(m);
    }
    const double slope = std::max(1.0, std::abs(slopes[y]));
    // A product of unit rows is off by as many roundings as it has terms and each of their elements two.
    const double of_cosine = (depth + 6) * rounding;
    for (double& v : logits) v *= o.scale;
    const double largest = *std::max_element(logits.begin(), logits.end());
    double sum = 0, range = 0;
    for (double v : logits) {
      sum += std::exp(v - largest);
      range = std::max(range, largest - v);
    }
    const double of_logit = o.scale * slope * of_cosine + 4 * rounding * (range + 8 * o.scale);
    const double of_share = 2 * of_logit + (8 + range + terms) * rounding;
    out.value += (std::log(sum) + largest - logits[y]) / n;
    out.value_error += 1.01 * (2 * of_logit + of_share + rounding * 8 * (range + std::log(sum))) / n;
    largest_error = std::max(largest_error, o.scale * (slope * (2 * of_share + 8 * rounding) +
                                                       bend * of_cosine + 16 * bend * rounding));
    for (size_t k = 0; k < classes; ++k) {
      const double g = o.scale * slopes[k] * (std::exp(logits[k] - largest) / sum - (k == y ? 1 : 0)) / n;
      for (size_t d = 0; d < width; ++d) {
        gx[i * width + d] += g * w[k * width + d];
        gw[k * width + d] += g * x[i * width + d];
      }
    }
    largest_error += 2 * o.scale * slope * (terms + n + 3 * depth + 16) * rounding;
  }
  const auto back = [&](const std::vector<double>& g, const std::vector<double>& of, size_t count,
                        const std::vector<double>& length, size_t step, size_t stride,
                        std::vector<double>& to, std::vector<double>& error, double share) {
    to.resize(count * width);
    error.resize(count * width);
    for (size_t i = 0; i < count; ++i) {
      double along = 0;
      for (size_t d = 0; d < width; ++d) along += g[i * width + d] * of[i * width + d];
      for (size_t d = 0; d < width; ++d) {
        const double f = (g[i * width + d] - along * of[i * width + d]) / length[i];
        to[i * step + d * stride] = c.scale * f;
        error[i * step + d * stride] = c.scale * 2 * largest_error * share / length[i];
      }
    }
  };
  back(gx, x, rows, lengths, width, 1, out.features, out.features_error, 1 / n);
  back(gw, w, classes, w_lengths, 1, classes, out.weights, out.weights_error, 1);
  out.value_error += std::abs(out.value) * rounding;
  return out;
}

template <class T, class Run>
void equals_the_reference(const Run& run, Case c) {
  SCOPED_TRACE(::testing::Message() << c.batch.rows << " x " << c.batch.width << " x " << c.classes
                                    << ", method " << static_cast<int>(c.options.method));
  c.batch = pairs::stored_batch<T>(c.batch);
  c.weights = as_stored<T>(c.weights);
  const Result got = run.template of<T>(c);
  const Expected want = expected(c, kRounding<Computed<T>>);
  EXPECT_NEAR(got.value, want.value, want.value_error);
  EXPECT_EQ(got.status, 0u);
  const auto check = [](const std::vector<double>& values, const std::vector<double>& truth,
                        const std::vector<double>& errors) {
    ASSERT_EQ(values.size(), truth.size());
    for (size_t i = 0; i < values.size(); ++i)
      ASSERT_NEAR(values[i], truth[i],
                  errors[i] + kRounding<T> * (std::abs(truth[i]) + errors[i]) + 0x1p-25 * kIsHalf<T>)
          << i;
  };
  check(got.features, want.features, want.features_error);
  check(got.weights, want.weights, want.weights_error);
}

template <class Run>
void equals_the_reference_in_all_types(const Run& run, int64_t rows, int64_t width, int64_t classes) {
  for (const MarginSoftmax& method : kMethods) {
    const Case c = random_case(rows, width, classes, method);
    equals_the_reference<double>(run, c);
    equals_the_reference<float>(run, c);
    equals_the_reference<Half>(run, c);
    equals_the_reference<BFloat16>(run, c);
  }
}

// reid.md, section 2.
template <class Run>
void has_the_golden_numbers(const Run& run) {
  const double golden[][3] = {{37.425649377, 15.849934531, 15.136263927},
                              {32.488732274, 14.960371425, 14.290193417},
                              {3.801478070, 0.410348071, 0.458617689}};
  for (int i = 0; i < 3; ++i) {
    const Result got = run.template of<double>(golden_case(kMethods[i]));
    EXPECT_NEAR(got.value, golden[i][0], 5.1e-10);
    EXPECT_NEAR(pairs::frobenius(got.features), golden[i][1], 5.1e-10);
    EXPECT_NEAR(pairs::frobenius(got.weights), golden[i][2], 5.1e-10);
    EXPECT_EQ(got.status, 0u);
  }
}

template <class Run>
void has_its_values_slopes(const Run& run) {
  for (const MarginSoftmax& method : kMethods) {
    const Case c = golden_case(method);
    const Result got = run.template of<double>(c);
    expect_gradient(
        c.batch.features, got.features,
        [&](const std::vector<double>& x) {
          Case moved = c;
          moved.batch.features = x;
          return run.template of<double>(moved).value;
        },
        256, 12);
    expect_gradient(
        c.weights, got.weights,
        [&](const std::vector<double>& x) {
          Case moved = c;
          moved.weights = x;
          return run.template of<double>(moved).value;
        },
        256, 12);
  }
}

// Features almost opposite to their weights, where ArcFace leaves the cosine's own curve and SphereFace is in
// its last piece.
template <class Run>
void goes_on_beyond_its_margin(const Run& run) {
  for (const MarginSoftmax& method : kMethods) {
    Case c = random_case(3, 4, 2, method);
    for (size_t i = 0; i < 3; ++i)
      for (size_t d = 0; d < 4; ++d)
        c.batch.features[i * 4 + d] =
            0.1 * c.batch.features[i * 4 + d] - c.weights[d * 2 + static_cast<size_t>(c.batch.labels[i])];
    equals_the_reference<double>(run, c);
    equals_the_reference<float>(run, c);
  }
}

// Rows of one element are their weights or the opposite: torch's gradient is NaN.
template <class Run>
void is_finite_where_rows_and_weights_are_parallel(const Run& run) {
  for (const MarginSoftmax& method : kMethods) {
    const Case c{.batch = {3, 1, {2, -3, 4}, {0, 1, 1}}, .weights = {5, 6}, .classes = 2, .options = method};
    const Result got = run.template of<float>(c);
    EXPECT_TRUE(std::isfinite(got.value));
    // What is left of a difference of equal numbers, under the largest scale and slope.
    for (double g : got.features) EXPECT_NEAR(g, 0, 64 * 16 * 0x1p-24);
    for (double g : got.weights) EXPECT_NEAR(g, 0, 64 * 16 * 0x1p-24);
  }
}

template <class Run>
void zeros_have_no_gradient(const Run& run) {
  for (const MarginSoftmax& method : kMethods) {
    Case c = golden_case(method);
    for (size_t d = 0; d < 6; ++d) c.batch.features[6 + d] = c.weights[d * 5 + 2] = 0;
    const Result got = run.template of<double>(c);
    EXPECT_TRUE(std::isfinite(got.value) && std::isfinite(pairs::frobenius(got.features)));
    for (size_t d = 0; d < 6; ++d) {
      EXPECT_EQ(got.features[6 + d], 0);
      EXPECT_EQ(got.weights[d * 5 + 2], 0);
    }
  }
}

template <class Run>
void names_its_faults(const Run& run) {
  const auto check = [&](const Case& c, const std::string& text) {
    const Result got = run.template of<float>(c);
    EXPECT_EQ(describe(got.status), text);
    EXPECT_TRUE(std::isnan(got.value));
    for (double g : got.features) ASSERT_TRUE(std::isnan(g));
    for (double g : got.weights) ASSERT_TRUE(std::isnan(g));
  };
  for (double v : {kNan, HUGE_VAL, -HUGE_VAL}) {
    Case c = golden_case(kArcFace);
    c.weights[3 * 5 + 4] = v;
    check(c, "weights: row 4 holds a value that is not finite");
    c.batch.features[5 * 6 + 2] = v;
    check(c, "features: row 5 holds a value that is not finite");
  }
  for (int32_t label : {-1, 5}) {
    Case c = golden_case(kSphereFace);
    c.batch.labels[3] = label;
    check(c, "labels: row 3 is out of range");
  }
}

template <class Run>
void is_not_a_number_without_rows(const Run& run) {
  Case c = golden_case(kCosFace);
  c.batch.rows = 0;
  c.batch.width = 3;
  c.batch.features.clear();
  c.batch.labels.clear();
  c.weights.resize(3 * 5);
  const Result got = run.template of<float>(c);
  EXPECT_TRUE(std::isnan(got.value));
  EXPECT_EQ(got.status, 0u);
  EXPECT_EQ(got.weights, std::vector<double>(15, 0));
}

template <class Run>
void gives_what_is_wanted(const Run& run) {
  const Case all = golden_case(kArcFace);
  const Result whole = run.template of<float>(all);
  for (const bool features : {false, true})
    for (const bool weights : {false, true}) {
      Case c = all;
      c.features_gradient = features;
      c.weights_gradient = weights;
      const Result got = run.template of<float>(c);
      EXPECT_EQ(got.value, whole.value);
      EXPECT_EQ(got.features, features ? whole.features : std::vector<double>{});
      EXPECT_EQ(got.weights, weights ? whole.weights : std::vector<double>{});
    }
}

template <class Run>
void scales_its_gradients_alone(const Run& run) {
  Case c = golden_case(kArcFace);
  const Result once = run.template of<double>(c);
  c.scale = 1024;
  const Result got = run.template of<double>(c);
  EXPECT_EQ(got.value, once.value);
  for (size_t i = 0; i < once.features.size(); ++i)
    EXPECT_DOUBLE_EQ(got.features[i], 1024 * once.features[i]);
  for (size_t i = 0; i < once.weights.size(); ++i) EXPECT_DOUBLE_EQ(got.weights[i], 1024 * once.weights[i]);
}

}  // namespace tyto::kernels::margin

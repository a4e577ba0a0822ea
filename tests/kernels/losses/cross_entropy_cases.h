// What cross_entropy promises, for CPU and CUDA. `run` is the one or the other.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/losses/cross_entropy.h"
#include "kernels/losses/gradient_check.h"
#include "kernels/losses/stored_values.h"

namespace tyto::kernels::entropy {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Case {
  int64_t rows = 1, classes = 2;
  std::vector<double> logits;
  std::vector<int32_t> labels;
  CrossEntropy options;
  double scale = 1;
  bool gradient = true, in_place = false;
};

struct Result {
  double value = 0;
  std::vector<double> gradient;
  LossStatus status = 0;
};

inline Case random_case(int64_t rows, int64_t classes, const CrossEntropy& options, double spread = 3) {
  std::mt19937 random(static_cast<uint32_t>(1 + rows + classes));
  std::normal_distribution<double> normal;
  Case c{.rows = rows, .classes = classes, .options = options};
  c.logits.resize(static_cast<size_t>(options.parts * rows * classes));
  for (double& v : c.logits) v = spread * normal(random);
  for (int64_t i = 0; i < rows; ++i)
    c.labels.push_back(static_cast<int32_t>(random() % static_cast<size_t>(classes)));
  if (options.ignored_label)
    for (size_t i = 1; i < c.labels.size(); i += 3) c.labels[i] = *options.ignored_label;
  return c;
}

// -sum q log p of one row after the other, and how far a float type of this rounding may be off.
struct Expected {
  double value = 0, value_error = 0;
  std::vector<double> gradient, gradient_error;
};

// Of e^z a relative error of `2 ulp + |z|` roundings, of a sum as many more as it has terms.
inline Expected expected(const Case& c, double rounding) {
  const auto classes = static_cast<size_t>(c.classes);
  const auto terms = static_cast<double>(c.classes);
  const double eps = c.options.smoothing;
  Expected out;
  double counted = 0;
  for (int32_t label : c.labels) counted += c.options.ignored_label == label ? 0 : 1;
  for (size_t i = 0; i < c.logits.size() / classes; ++i) {
    const double* row = &c.logits[i * classes];
    const int32_t label = c.labels[i % c.labels.size()];
    if (c.options.ignored_label == label) {
      out.gradient.resize(out.gradient.size() + classes);
      out.gradient_error.resize(out.gradient.size());
      continue;
    }
    const double largest = *std::max_element(row, row + classes);
    double sum = 0, distances = 0, range = 0;
    for (size_t j = 0; j < classes; ++j) {
      sum += std::exp(row[j] - largest);
      distances += largest - row[j];
      range = std::max(range, largest - row[j]);
    }
    const double of_sum = (4 + range + terms) * rounding;  // relative
    for (size_t j = 0; j < classes; ++j) {
      const double z = row[j] - largest, p = std::exp(z) / sum;
      const double q = (static_cast<int32_t>(j) == label ? 1 - eps : 0) + eps / terms;
      out.value -= q * (z - std::log(sum)) / counted;
      out.gradient.push_back(c.scale * (p - q) / counted);
      out.gradient_error.push_back(c.scale / counted *
                                   (p * (of_sum + (8 - z) * rounding) + 4 * (p + q) * rounding));
    }
    const double of_label = largest - row[label], of_all = eps / terms * distances;
    out.value_error +=
        1.01 / counted * (of_sum + rounding * (6 * std::log(sum) + 4 * of_label + (terms + 4) * of_all));
  }
  out.value_error += std::abs(out.value) * rounding;
  return out;
}

// The distance of neighbours around 0, halved.
template <class T>
constexpr double kLeastRounding = std::is_same_v<T, Half> ? 0x1p-25 : 1e-37;

template <class T, class Run>
void equals_the_reference(const Run& run, Case c) {
  SCOPED_TRACE(::testing::Message() << c.rows << " x " << c.classes << ", " << c.options.parts << " parts");
  c.logits = as_stored<T>(c.logits);
  const Result got = run.template of<T>(c);
  const Expected want = expected(c, kRounding<Computed<T>>);
  EXPECT_NEAR(got.value, want.value, want.value_error);
  EXPECT_EQ(got.status, 0u);
  ASSERT_EQ(got.gradient.size(), want.gradient.size());
  for (size_t i = 0; i < want.gradient.size(); ++i) {
    const double error = want.gradient_error[i];
    ASSERT_NEAR(got.gradient[i], want.gradient[i],
                error + kRounding<T> * (std::abs(want.gradient[i]) + error) + kLeastRounding<T>)
        << i;
  }
}

template <class Run>
void equals_the_reference_in_all_types(const Run& run, const Case& c) {
  equals_the_reference<double>(run, c);
  equals_the_reference<float>(run, c);
  equals_the_reference<Half>(run, c);
  equals_the_reference<BFloat16>(run, c);
}

// torch 2.15: F.cross_entropy(x, y, label_smoothing=0.1, ignore_index=-1), x[i][c] = sin(0.7 (i + 1)(c + 1)),
// y = [2, -1, 0], and its gradient's norm.
template <class Run>
void has_torchs_numbers(const Run& run) {
  Case c{.rows = 3, .classes = 4, .labels = {2, -1, 0}, .options = {.smoothing = 0.1, .ignored_label = -1}};
  for (int i = 1; i <= 3; ++i)
    for (int k = 1; k <= 4; ++k) c.logits.push_back(std::sin(0.7 * i * k));
  const Result got = run.template of<double>(c);
  double squares = 0;
  for (double g : got.gradient) squares += g * g;
  EXPECT_NEAR(got.value, 1.1469863654076349, 1e-14);
  EXPECT_NEAR(std::sqrt(squares), 0.5000834548987885, 1e-14);
}

template <class Run>
void has_its_values_slopes(const Run& run) {
  Case c = random_case(5, 7, {.smoothing = 0.1, .parts = 2, .ignored_label = -1});
  expect_gradient(c.logits, run.template of<double>(c).gradient, [&](const std::vector<double>& logits) {
    c.logits = logits;
    return run.template of<double>(c).value;
  });
}

template <class T, class Run>
void is_exact_for_logits_far_apart(const Run& run) {
  Case c{.rows = 1, .classes = 3, .logits = {-8192, 8192, 0}, .labels = {0}};
  const Result got = run.template of<T>(c);
  EXPECT_EQ(got.value, 16384);
  EXPECT_EQ(got.gradient, (std::vector<double>{-1, 1, 0}));
  c.labels = {1};
  EXPECT_EQ(run.template of<T>(c).value, 0);
}

template <class Run>
void ignored_rows_may_be_anything(const Run& run) {
  Case c = random_case(4, 3, {.parts = 2, .ignored_label = -1});
  const Result clean = run.template of<float>(c);
  c.logits[3] = kNan;
  c.logits[17] = -kInfinity;  // row 1 of the second part
  const Result got = run.template of<float>(c);
  EXPECT_EQ(got.value, clean.value);
  EXPECT_EQ(got.gradient, clean.gradient);
  EXPECT_EQ(got.status, 0u);
  for (size_t i = 3; i < 6; ++i) EXPECT_EQ(got.gradient[i], 0);
}

template <class Run>
void is_not_a_number_where_nothing_counts(const Run& run) {
  Case c{.rows = 2, .classes = 2, .logits = {1, 2, 3, 4}, .labels = {7, 7}, .options = {.ignored_label = 7}};
  Result got = run.template of<double>(c);
  EXPECT_TRUE(std::isnan(got.value));
  EXPECT_EQ(got.status, 0u);
  EXPECT_EQ(got.gradient, std::vector<double>(4, 0));
  got = run.template of<double>({.rows = 0, .options = {.parts = 3}});
  EXPECT_TRUE(std::isnan(got.value));
  EXPECT_EQ(got.status, 0u);
}

// The second of four rows, in the second of two parts.
template <class Run>
void names_its_faults(const Run& run) {
  for (const int64_t classes : {3, 1025}) {
    const Case sound = random_case(4, classes, {.smoothing = 0.1, .parts = 2});
    const Result clean = run.template of<float>(sound);
    const auto width = static_cast<size_t>(classes);
    const auto check = [&](const Case& c, LossStatus status, const std::vector<size_t>& rows) {
      const Result got = run.template of<float>(c);
      EXPECT_TRUE(std::isnan(got.value));
      EXPECT_EQ(got.status, status) << describe(got.status);
      for (size_t i = 0; i < got.gradient.size(); ++i)
        if (std::find(rows.begin(), rows.end(), i / width) != rows.end())
          ASSERT_TRUE(std::isnan(got.gradient[i])) << i;
        else
          ASSERT_EQ(got.gradient[i], clean.gradient[i]) << i;
    };
    for (double v : {kNan, kInfinity, -kInfinity}) {
      Case c = sound;
      c.logits[5 * width + width - 1] = v;
      check(c, loss_status(LossFault::NotFinite, LossInput::Logits, 5), {5});
      c.labels[0] = -1;  // which is not as grave
      check(c, loss_status(LossFault::NotFinite, LossInput::Logits, 5), {0, 4, 5});
    }
    for (int32_t label : {-1, static_cast<int32_t>(classes)}) {
      Case c = sound;
      c.labels[1] = c.labels[3] = label;
      check(c, loss_status(LossFault::Label, LossInput::Labels, 1), {1, 3, 5, 7});
    }
  }
}

template <class Run>
void gives_its_value_alone(const Run& run) {
  Case c = random_case(3, 40, {});
  const double value = run.template of<float>(c).value;
  c.gradient = false;
  EXPECT_EQ(run.template of<float>(c).value, value);
}

template <class Run>
void runs_in_place(const Run& run) {
  for (const int64_t classes : {40, 1025}) {
    Case c = random_case(3, classes, {.smoothing = 0.1, .parts = 2, .ignored_label = -1});
    const Result apart = run.template of<float>(c);
    c.in_place = true;
    const Result got = run.template of<float>(c);
    EXPECT_EQ(got.value, apart.value);
    EXPECT_EQ(got.gradient, apart.gradient);
  }
}

template <class Run>
void scales_its_gradient_alone(const Run& run) {
  Case c = random_case(3, 5, {});
  const Result once = run.template of<double>(c);
  c.scale = 1024;
  const Result got = run.template of<double>(c);
  EXPECT_EQ(got.value, once.value);
  for (size_t i = 0; i < once.gradient.size(); ++i) EXPECT_EQ(got.gradient[i], 1024 * once.gradient[i]);
}

}  // namespace tyto::kernels::entropy

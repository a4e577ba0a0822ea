// What symmetric_kl promises, for CPU and CUDA. `run` is the one or the other.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/losses/gradient_check.h"
#include "kernels/losses/stored_values.h"
#include "kernels/losses/symmetric_kl.h"

namespace tyto::kernels::divergence {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Case {
  int64_t rows = 1, classes = 2;
  std::vector<double> first, second;
  double scale = 1;
  bool first_gradient = true, second_gradient = true;
};

struct Result {
  double value = 0;
  std::vector<double> first, second;  // gradients
  LossStatus status = 0;
};

inline Case random_case(int64_t rows, int64_t classes) {
  std::mt19937 random(static_cast<uint32_t>(1 + rows + classes));
  std::normal_distribution<double> normal;
  Case c{.rows = rows, .classes = classes};
  for (int64_t i = 0; i < rows * classes; ++i) {
    c.first.push_back(3 * normal(random));
    c.second.push_back(c.first.back() + normal(random));
  }
  return c;
}

struct Expected {
  double value = 0, value_error = 0;
  std::vector<double> first, second, first_error, second_error;
};

// Logarithms of shares are off by a rounding of each thing that they come from, a share by that and by what
// exponentials are off.
inline Expected expected(const Case& c, double rounding) {
  Expected out;
  const auto classes = static_cast<size_t>(c.classes);
  const auto terms = static_cast<double>(c.classes), rows = static_cast<double>(c.rows);
  for (size_t i = 0; i < c.first.size(); i += classes) {
    const auto log_shares = [&](const std::vector<double>& logits, double& error) {
      std::vector<double> row(logits.begin() + static_cast<int64_t>(i),
                              logits.begin() + static_cast<int64_t>(i + classes));
      const double largest = *std::max_element(row.begin(), row.end());
      const double range = largest - *std::min_element(row.begin(), row.end());
      double sum = 0;
      for (double v : row) sum += std::exp(v - largest);
      for (double& v : row) v -= largest + std::log(sum);
      error += rounding * (12 + 3 * range + terms + 6 * std::log(sum));
      return row;
    };
    double error = 0;  // of a logarithm, and of a share relative to it
    const std::vector<double> p = log_shares(c.first, error), q = log_shares(c.second, error);
    double p_to_q = 0, q_to_p = 0, p_size = 0, q_size = 0;
    for (size_t j = 0; j < classes; ++j) {
      const double r = p[j] - q[j];
      p_to_q += std::exp(p[j]) * r;
      q_to_p -= std::exp(q[j]) * r;
      p_size += std::exp(p[j]) * std::abs(r);
      q_size += std::exp(q[j]) * std::abs(r);
      const double shares = std::exp(p[j]) + std::exp(q[j]);
      out.value_error += 1.01 / (2 * rows) * shares * error * (std::abs(r) + 1);
    }
    out.value += (p_to_q + q_to_p) / (2 * rows);
    for (size_t j = 0; j < classes; ++j) {
      const double r = p[j] - q[j], of_p = std::exp(p[j]), of_q = std::exp(q[j]);
      const double by = c.scale / (2 * rows);
      out.first.push_back(by * (of_p * (r - p_to_q) + of_p - of_q));
      out.second.push_back(by * (of_q * (-r - q_to_p) + of_q - of_p));
      const double sizes = 2 + std::abs(r) + 2 * (p_size + q_size);
      out.first_error.push_back(1.01 * by * error * (of_p * sizes + of_q));
      out.second_error.push_back(1.01 * by * error * (of_q * sizes + of_p));
    }
  }
  out.value_error += out.value * rounding;
  return out;
}

template <class T>
constexpr double kLeastRounding = std::is_same_v<T, Half> ? 0x1p-25 : 1e-37;

template <class T, class Run>
void equals_the_reference(const Run& run, Case c) {
  SCOPED_TRACE(::testing::Message() << c.rows << " x " << c.classes);
  c.first = as_stored<T>(c.first);
  c.second = as_stored<T>(c.second);
  const Result got = run.template of<T>(c);
  const Expected want = expected(c, kRounding<Computed<T>>);
  EXPECT_NEAR(got.value, want.value, want.value_error);
  EXPECT_EQ(got.status, 0u);
  ASSERT_EQ(got.first.size(), want.first.size());
  ASSERT_EQ(got.second.size(), want.first.size());
  const auto check = [](double value, double truth, double error) {
    EXPECT_NEAR(value, truth, error + kRounding<T> * (std::abs(truth) + error) + kLeastRounding<T>);
  };
  for (size_t i = 0; i < want.first.size(); ++i) {
    check(got.first[i], want.first[i], want.first_error[i]);
    check(got.second[i], want.second[i], want.second_error[i]);
  }
}

template <class Run>
void equals_the_reference_in_all_types(const Run& run, const Case& c) {
  equals_the_reference<double>(run, c);
  equals_the_reference<float>(run, c);
  equals_the_reference<Half>(run, c);
  equals_the_reference<BFloat16>(run, c);
}

// torch 2.15, by the lines of train.py: first[i][c] = sin(0.7 (i + 1)(c + 1)), second = cos(0.4 ...), with
// the norms of both gradients.
template <class Run>
void has_torchs_numbers(const Run& run) {
  Case c{.rows = 3, .classes = 4};
  for (int i = 1; i <= 3; ++i)
    for (int k = 1; k <= 4; ++k) {
      c.first.push_back(std::sin(0.7 * i * k));
      c.second.push_back(std::cos(0.4 * i * k));
    }
  const Result got = run.template of<double>(c);
  const auto norm = [](const std::vector<double>& values) {
    double squares = 0;
    for (double v : values) squares += v * v;
    return std::sqrt(squares);
  };
  EXPECT_NEAR(got.value, 0.032648926880859505, 1e-14);
  EXPECT_NEAR(norm(got.first), 0.06323695214432658, 1e-14);
  EXPECT_NEAR(norm(got.second), 0.07105319083519598, 1e-14);
}

template <class Run>
void has_its_values_slopes(const Run& run) {
  Case c = random_case(2, 5);
  const Result got = run.template of<double>(c);
  for (std::vector<double> Case::*view : {&Case::first, &Case::second})
    expect_gradient(c.*view, view == &Case::first ? got.first : got.second,
                    [&](const std::vector<double>& logits) {
                      Case other = c;
                      other.*view = logits;
                      return run.template of<double>(other).value;
                    });
}

// Equal views, and views that differ by a constant.
template <class Run>
void is_nothing_where_views_agree(const Run& run) {
  Case c{.rows = 2, .classes = 3, .first = {1, 2, 3, 100, 200, -7}, .second = {1, 2, 3, 101, 201, -6}};
  const Result got = run.template of<float>(c);
  EXPECT_EQ(got.value, 0);
  EXPECT_EQ(got.first, std::vector<double>(6, 0));
  EXPECT_EQ(got.second, std::vector<double>(6, 0));
}

// All of either view's share lies on one class: half of 8192 for each direction.
template <class Run>
void is_exact_for_logits_far_apart(const Run& run) {
  const Result got = run.template of<float>({.first = {8192, 0}, .second = {0, 8192}});
  EXPECT_EQ(got.value, 8192);
  EXPECT_EQ(got.first, (std::vector<double>{0.5, -0.5}));
  EXPECT_EQ(got.second, (std::vector<double>{-0.5, 0.5}));
}

template <class Run>
void names_its_faults(const Run& run) {
  for (const int64_t classes : {3, 1025}) {
    const Case sound = random_case(4, classes);
    const Result clean = run.template of<float>(sound);
    for (double v : {kNan, kInfinity, -kInfinity})
      for (const LossInput input : {LossInput::Logits, LossInput::TeacherLogits}) {
        Case c = sound;
        (input == LossInput::Logits ? c.first : c.second)[static_cast<size_t>(2 * classes - 1)] = v;
        const Result got = run.template of<float>(c);
        EXPECT_TRUE(std::isnan(got.value));
        EXPECT_EQ(got.status, loss_status(LossFault::NotFinite, input, 1)) << describe(got.status);
        for (size_t i = 0; i < got.first.size(); ++i)
          if (i / static_cast<size_t>(classes) == 1)
            ASSERT_TRUE(std::isnan(got.first[i]) && std::isnan(got.second[i])) << i;
          else
            ASSERT_TRUE(got.first[i] == clean.first[i] && got.second[i] == clean.second[i]) << i;
      }
  }
}

template <class Run>
void is_not_a_number_without_rows(const Run& run) {
  const Result got = run.template of<double>({.rows = 0});
  EXPECT_TRUE(std::isnan(got.value));
  EXPECT_EQ(got.status, 0u);
}

template <class Run>
void gives_what_is_wanted(const Run& run) {
  const Case all = random_case(3, 5);
  const Result whole = run.template of<float>(all);
  for (const bool first : {false, true}) {
    Case c = all;
    c.first_gradient = first;
    c.second_gradient = false;
    const Result got = run.template of<float>(c);
    EXPECT_EQ(got.value, whole.value);
    EXPECT_EQ(got.first, first ? whole.first : std::vector<double>{});
  }
}

template <class Run>
void scales_its_gradients_alone(const Run& run) {
  Case c = random_case(3, 5);
  const Result once = run.template of<double>(c);
  c.scale = 1024;
  const Result got = run.template of<double>(c);
  EXPECT_EQ(got.value, once.value);
  for (size_t i = 0; i < once.first.size(); ++i) {
    EXPECT_EQ(got.first[i], 1024 * once.first[i]);
    EXPECT_EQ(got.second[i], 1024 * once.second[i]);
  }
}

}  // namespace tyto::kernels::divergence

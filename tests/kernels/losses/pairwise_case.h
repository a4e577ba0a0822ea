// What tests of losses over rows share: batches, runs on the CPU, and gradients of a loop that says what a
// loss is, by numbers that carry a derivative.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/losses/loss.h"
#include "kernels/losses/stored_values.h"

namespace tyto::kernels::pairs {

struct Batch {
  int64_t rows, width;
  std::vector<double> features;  // [rows, width]
  std::vector<int32_t> labels;   // [rows]
};

// The rows of the golden numbers in double.
inline Batch golden_batch(std::vector<int32_t> labels, int64_t width = 6) {
  Batch b{static_cast<int64_t>(labels.size()), width, {}, std::move(labels)};
  for (int64_t i = 0; i < b.rows; ++i)
    for (int64_t d = 0; d < width; ++d)
      b.features.push_back(std::sin(0.37 * static_cast<double>((i + 1) * (d + 1))) +
                           0.05 * static_cast<double>(i));
  return b;
}

// Rows of normal numbers, `identities` labels in turn.
inline Batch random_batch(int64_t rows, int64_t width, int64_t identities, unsigned seed = 1) {
  Batch b{rows, width, {}, {}};
  std::mt19937 random(seed);
  std::normal_distribution<double> of;
  for (int64_t i = 0; i < rows * width; ++i) b.features.push_back(of(random));
  for (int64_t i = 0; i < rows; ++i) b.labels.push_back(static_cast<int32_t>(i * 5 % identities) + 3);
  return b;
}

template <class T>
Batch stored_batch(Batch b) {
  b.features = as_stored<T>(b.features);
  return b;
}

struct LossRun {
  double value;
  std::vector<double> gradient;  // empty: not wanted
  LossStatus status;
};

inline double frobenius(const std::vector<double>& v) {
  double squares = 0;
  for (double x : v) squares += x * x;
  return std::sqrt(squares);
}

// Loss: Options, and templates of T cpu(features, options, output, workspace), cpu_workspace(rows, width,
// options).
struct OnCpu {
  template <class T, class Loss>
  static LossRun run(const Batch& b, const typename Loss::Options& options, double scale = 1,
                     bool gradient = true) {
    const auto features = stored<T>(b.features);
    std::vector<Stored<T>> to(gradient ? features.size() : 0);
    std::vector<char> lent(static_cast<size_t>(Loss::template cpu_workspace<T>(b.rows, b.width, options)) +
                           256);
    const auto at = reinterpret_cast<uintptr_t>(lent.data());
    Computed<T> value = 7;
    LossStatus status = 0;
    Loss::template cpu<T>({reinterpret_cast<const T*>(features.data()), b.labels.data(), b.rows, b.width},
                          options,
                          {&value, gradient ? reinterpret_cast<T*>(to.data()) : nullptr, scale, &status},
                          lent.data() + (256 - at % 256));
    return {value, doubles<T>(to), status};
  }
};

// A number and its derivative by one of the inputs.
struct Dual {
  double v, d;

  Dual(double value = 0, double derivative = 0) : v(value), d(derivative) {}
  Dual& operator+=(Dual b) { return *this = {v + b.v, d + b.d}; }
  friend Dual operator+(Dual a, Dual b) { return {a.v + b.v, a.d + b.d}; }
  friend Dual operator-(Dual a, Dual b) { return {a.v - b.v, a.d - b.d}; }
  friend Dual operator-(Dual a) { return {-a.v, -a.d}; }
  friend Dual operator*(Dual a, Dual b) { return {a.v * b.v, a.d * b.v + a.v * b.d}; }
  friend Dual operator/(Dual a, Dual b) { return {a.v / b.v, (a.d - a.v / b.v * b.d) / b.v}; }
  friend bool operator>(Dual a, Dual b) { return a.v > b.v; }
  friend bool operator<(Dual a, Dual b) { return a.v < b.v; }
};
inline Dual exp(Dual a) { return {std::exp(a.v), std::exp(a.v) * a.d}; }
inline Dual log(Dual a) { return {std::log(a.v), a.d / a.v}; }
inline Dual sqrt(Dual a) { return {std::sqrt(a.v), a.v == 0 ? 0 : a.d / (2 * std::sqrt(a.v))}; }
inline double value_of(double a) { return a; }
inline double value_of(Dual a) { return a.v; }

// Rows of double or Dual.
template <class S>
using RowsOf = std::vector<std::vector<S>>;

template <class S>
RowsOf<S> rows_of(const Batch& b) {
  RowsOf<S> rows(static_cast<size_t>(b.rows));
  for (int64_t i = 0; i < b.rows * b.width; ++i) rows[i / b.width].push_back(b.features[i]);
  return rows;
}

template <class S>
S length_of(const std::vector<S>& row) {
  S squares = 0;
  for (const S& v : row) squares += v * v;
  using std::sqrt;
  return sqrt(squares);
}

template <class S>
RowsOf<S> unit_rows(RowsOf<S> rows, double added_length = 0) {
  for (auto& row : rows) {
    const S length = length_of(row) + S(added_length);
    for (S& v : row) v = v / length;
  }
  return rows;
}

template <class S>
S product_of(const std::vector<S>& a, const std::vector<S>& b) {
  S sum = 0;
  for (size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
  return sum;
}

template <class S>
S distance_of(std::vector<S> a, const std::vector<S>& b) {
  for (size_t k = 0; k < a.size(); ++k) a[k] = a[k] - b[k];
  return length_of(a);
}

// Loss::reference(rows of S, labels, options) is the value as its definition says it.
template <class Loss>
LossRun by_reference(const Batch& b, const typename Loss::Options& options, double scale = 1) {
  LossRun run{Loss::reference(rows_of<double>(b), b.labels, options), {}, 0};
  RowsOf<Dual> rows = rows_of<Dual>(b);
  for (int64_t i = 0; i < b.rows; ++i)
    for (int64_t k = 0; k < b.width; ++k) {
      rows[i][k].d = 1;
      run.gradient.push_back(scale * Loss::reference(rows, b.labels, options).d);
      rows[i][k].d = 0;
    }
  return run;
}

}  // namespace tyto::kernels::pairs

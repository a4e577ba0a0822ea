// Products, distances and weighted sums of rows beside plain loops in double; the same checks for the CPU and
// the device under test.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/losses/row_products.h"

namespace tyto::kernels {

// Random rows; the last of b is the first of a again where there are several.
template <class C>
struct RowSets {
  int64_t a_rows, b_rows, width;
  std::vector<C> a, b, weights;

  RowSets(int64_t n, int64_t m, int64_t d) : a_rows(n), b_rows(m), width(d) {
    std::mt19937 random(7);
    std::normal_distribution<float> of;
    const auto fill = [&](std::vector<C>& v, int64_t count) {
      v.resize(static_cast<size_t>(count));
      for (C& x : v) x = of(random);
    };
    fill(a, n * d);
    fill(b, m * d);
    fill(weights, n * m);
    if (n > 0 && m > 1) std::copy_n(a.begin(), d, b.end() - d);
  }
};

// [rows, columns] of what `of` sums over the depth for (i, j, k), and of the sizes of its terms.
struct Sums {
  std::vector<double> values, sizes;

  template <class Of>
  Sums(int64_t rows, int64_t columns, int64_t depth, const Of& of) {
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        double sum = 0, size = 0;
        for (int64_t k = 0; k < depth; ++k) {
          const double term = of(i, j, k);
          sum += term;
          size += std::abs(term);
        }
        values.push_back(sum);
        sizes.push_back(size);
      }
  }
};

// A sum of d rounded terms is wrong by at most d + 1 half places of the sum of their sizes.
template <class C>
void expect_sums(const std::vector<C>& got, const Sums& want, int64_t depth, const char* what) {
  ASSERT_EQ(got.size(), want.values.size());
  const double unit = std::numeric_limits<C>::epsilon() * (static_cast<double>(depth) + 2);
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], want.values[i], unit * want.sizes[i]) << what << " " << i;
}

// A squared distance of at least a sixteenth of the squares that it is the difference of is wrong by 16 times
// as much as they, d + 1 half places, and its root by half of that.
//
// products(b is a), distances(b is a), sums(over, add) run on the device under test.
template <class C, class Run>
void check_row_products(const RowSets<C>& s, const Run& run) {
  const int64_t n = s.a_rows, m = s.b_rows, d = s.width;
  const auto products = [&](const std::vector<C>& b) {
    return [&](int64_t i, int64_t j, int64_t k) { return double{s.a[i * d + k]} * b[j * d + k]; };
  };
  expect_sums(run.products(false), Sums(n, m, d, products(s.b)), d, "products");
  expect_sums(run.products(true), Sums(n, n, d, products(s.a)), d, "products of one set");
  for (const bool one : {false, true}) {
    const std::vector<C>& b = one ? s.a : s.b;
    const std::vector<C> got = run.distances(one);
    const Sums squares(n, one ? n : m, d, [&](int64_t i, int64_t j, int64_t k) {
      const double difference = double{s.a[i * d + k]} - b[j * d + k];
      return difference * difference;
    });
    ASSERT_EQ(got.size(), squares.values.size());
    for (size_t i = 0; i < got.size(); ++i)
      ASSERT_NEAR(
          got[i], std::sqrt(squares.values[i]),
          std::numeric_limits<C>::epsilon() * (static_cast<double>(d) + 4) * std::sqrt(squares.values[i]))
          << "distances " << i;
  }
  const auto over_b = [&](int64_t i, int64_t j, int64_t k) {
    return double{s.weights[i * m + k]} * s.b[k * d + j];
  };
  const auto over_a = [&](int64_t i, int64_t j, int64_t k) {
    return double{s.weights[k * m + i]} * s.a[k * d + j];
  };
  expect_sums(run.sums(SumOver::B, false), Sums(n, d, m, over_b), m, "weighted rows of b");
  expect_sums(run.sums(SumOver::A, false), Sums(m, d, n, over_a), n, "weighted rows of a");
  // Added to themselves, they are twice as much.
  const auto doubled = [](const auto& of) {
    return [&of](int64_t i, int64_t j, int64_t k) { return 2 * of(i, j, k); };
  };
  expect_sums(run.sums(SumOver::B, true), Sums(n, d, m, doubled(over_b)), m, "weighted rows of b, added");
}

// The weights of slopes h by their definition.
template <class C>
std::vector<double> weights_by_definition(const std::vector<C>& distances, const std::vector<C>& slopes,
                                          int64_t n) {
  std::vector<double> w(slopes.size());
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) {
      if (i == j) continue;
      const double d = distances[i * n + j];
      const double weight = d == 0 ? 0 : (double{slopes[i * n + j]} + double{slopes[j * n + i]}) / d;
      w[i * n + j] -= weight;
      w[i * n + i] += weight;
    }
  return w;
}

template <class C>
void expect_weights(const std::vector<C>& got, const std::vector<double>& want, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    double size = 0;
    for (int64_t j = 0; j < n; ++j) size += std::abs(want[i * n + j]);
    for (int64_t j = 0; j < n; ++j)
      ASSERT_NEAR(got[i * n + j], want[i * n + j],
                  std::numeric_limits<C>::epsilon() * (i == j ? static_cast<double>(n) : 4) * size)
          << i << ", " << j;
  }
}

}  // namespace tyto::kernels

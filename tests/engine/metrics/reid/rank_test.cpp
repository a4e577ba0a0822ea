#include "engine/metrics/reid/rank.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "kernels/retrieval/normalize_rows.h"

namespace {

using tyto::rank_all;
using tyto::rank_top;
using tyto::kernels::normalize_rows_cpu;

const float kNaN = std::numeric_limits<float>::quiet_NaN();
const float kInfinity = std::numeric_limits<float>::infinity();

// Few distinct values, so that ties abound, and every kind of float.
std::vector<float> ugly_scores(int n, unsigned seed) {
  const float values[] = {0.5f, -0.5f,     0.25f,      0.0f,  -0.0f, 1e-40f, -1e-40f,
                          kNaN, kInfinity, -kInfinity, -kNaN, 3e38f, -3e38f};
  std::mt19937 random(seed);
  std::vector<float> scores;
  for (int i = 0; i < n; ++i) scores.push_back(values[random() % std::size(values)]);
  return scores;
}

std::vector<int32_t> order_by_definition(const std::vector<float>& scores) {
  std::vector<int32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    const float x = scores[a], y = scores[b];
    if (std::isnan(x) || std::isnan(y)) return std::isnan(x) == std::isnan(y) ? a < b : std::isnan(y);
    return x != y ? x > y : a < b;
  });
  return order;
}

TEST(Rank, OrdersByFallingScoreThenRisingIndexWithNaNLast) {
  for (const int n : {0, 1, 2, 3, 17, 256, 1001})
    for (unsigned seed = 0; seed < 5; ++seed) {
      const auto scores = ugly_scores(n, seed);
      std::vector<int32_t> order(scores.size());
      rank_all(scores.data(), n, order.data());
      EXPECT_EQ(order, order_by_definition(scores)) << n << " scores, seed " << seed;
    }
}

TEST(Rank, TopKIsTheBeginningOfTheWhole) {
  const auto scores = ugly_scores(503, 7);
  const auto whole = order_by_definition(scores);
  for (const int k : {0, 1, 2, 10, 502, 503}) {
    std::vector<int32_t> top(k);
    rank_top(scores.data(), 503, k, top.data());
    EXPECT_TRUE(std::equal(top.begin(), top.end(), whole.begin())) << "k = " << k;
  }
}

TEST(NormaliseRows, HaveUnitLengthAndExtremesDoNotOverflow) {
  std::vector<float> rows = {3, 4, 3e38f, 4e37f, 3e-42f, 4e-42f};
  EXPECT_EQ(normalize_rows_cpu(rows.data(), 3, 2), 0);
  EXPECT_EQ(rows[0], 0.6f);
  EXPECT_EQ(rows[1], 0.8f);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(std::hypot(rows[2 * i], rows[2 * i + 1]), 1, 1e-7) << "row " << i;
}

TEST(NormaliseRows, AZeroRowStaysZeroAndABrokenOneIsCounted) {
  std::vector<float> rows = {0, 0, 1, kNaN, kInfinity, 1, 0, 2};
  EXPECT_EQ(normalize_rows_cpu(rows.data(), 4, 2), 2);
  EXPECT_EQ(rows[0], 0);
  EXPECT_EQ(rows[1], 0);
  for (int i = 2; i < 6; ++i) EXPECT_TRUE(std::isnan(rows[i])) << i;
  EXPECT_EQ(rows[7], 1);
}

}  // namespace

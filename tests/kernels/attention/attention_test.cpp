#include "kernels/attention/attention.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/attention/attention_problem.h"
#include "kernels/attention/attention_reference.h"

namespace tyto::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity(), kUntouched = 77;

struct Attended {
  int64_t stride;
  std::vector<float> y, maximum, sum;
};

Attended attend(const AttentionOf<float>& of, int threads = 2, int64_t gap = 0) {
  Attended result;
  result.stride = of.heads * of.width + gap;
  result.y.assign(static_cast<size_t>(of.batch * of.queries * result.stride), kUntouched);
  result.maximum.resize(static_cast<size_t>(of.batch * of.heads * of.queries));
  result.sum = result.maximum;
  const int before = omp_get_max_threads();
  omp_set_num_threads(threads);
  // Exactly as many as asked for, so that the sanitizers see a write beyond.
  std::vector<float> scratch(static_cast<size_t>(attention_scratch_floats(of, threads)), std::nanf(""));
  attention_cpu(of, {result.y.data(), result.stride}, {result.maximum.data(), result.sum.data()},
                scratch.data());
  omp_set_num_threads(before);
  return result;
}

// Every value of some rows, the first and the last among them.
void compare(const AttentionSizes& sizes, int64_t rows = std::numeric_limits<int64_t>::max()) {
  SCOPED_TRACE(::testing::Message() << sizes.queries << " queries, " << sizes.keys[0] << " keys, depth "
                                    << sizes.depth << ", width " << sizes.width << ", heads " << sizes.heads
                                    << ", bias " << sizes.bias_batch << ", mask " << sizes.mask_batch);
  const AttentionProblem problem(sizes);
  const AttentionOf<float>& of = problem.of;
  const Attended got = attend(of, 2, sizes.gap);
  const int64_t all = of.batch * of.heads * of.queries, step = std::max<int64_t>(1, (all - 1) / rows);
  for (int64_t i = 0; i < all; i += step) {
    const int64_t query = i % of.queries, head = i / of.queries % of.heads, b = i / of.queries / of.heads;
    const AttentionRow row = attention_row(of, b, head, query);
    const double error = attention_error(row, of.depth);
    const auto at = static_cast<size_t>(i);
    if (row.sum == 0) {
      EXPECT_EQ(got.maximum[at], -kInfinity);
      EXPECT_EQ(got.sum[at], 0);
    } else {
      EXPECT_NEAR(got.maximum[at], row.maximum, error * (row.size + 1));
      EXPECT_NEAR(got.sum[at] / row.sum, 1, probability_error(row, of.depth));
    }
    for (int64_t c = 0; c < of.width; ++c) {
      const Summed want = attention_sum(of, row, b, head, c);
      ASSERT_NEAR(got.y[static_cast<size_t>((b * of.queries + query) * got.stride + head * of.width + c)],
                  want.value, error * want.size)
          << b << " " << head << " " << query << " " << c;
    }
  }
  for (int64_t i = 0; i < of.batch * of.queries; ++i)
    for (int64_t c = of.heads * of.width; c < got.stride; ++c)
      ASSERT_EQ(got.y[static_cast<size_t>(i * got.stride + c)], kUntouched);
}

TEST(Attention, EqualsTheReferenceOnUnkindSizes) {
  for (int64_t n : {1, 2, 31, 64, 65, 97, 243})
    for (int64_t depth : {1, 8, 33})
      compare({.batch = 2, .queries = n, .keys = {n}, .depth = depth, .width = n == 65 ? 100 : 8});
  compare({.queries = 5, .keys = {7}, .depth = kMaxHeadSize, .width = 512});
}

TEST(Attention, EqualsTheReferenceOnManyTokens) {
  compare({.queries = 197, .keys = {197}, .depth = 64, .width = 64}, 40);
  compare({.queries = 100, .keys = {4097}, .depth = 16, .width = 24}, 20);
}

TEST(Attention, OfHeadsInWideRows) {
  compare({.batch = 2, .heads = 3, .queries = 49, .keys = {49}, .depth = 32, .width = 32, .gap = 7});
}

TEST(Attention, OfOtherKeysThanQueries) {
  compare({.batch = 2, .heads = 2, .queries = 100, .keys = {7}, .depth = 8, .width = 40});
  compare({.batch = 2, .heads = 2, .queries = 3, .keys = {300}, .depth = 8, .width = 5});
}

TEST(Attention, OfEveryBias) {
  for (int64_t bias_batch : {1, 2, 4})
    for (int64_t heads : {1, 3})
      compare({.batch = 4,
               .heads = 3,
               .queries = 100,
               .keys = {250},
               .depth = 4,
               .width = 4,
               .bias_batch = bias_batch,
               .bias_heads = heads});
}

TEST(Attention, OfEveryMask) {
  for (int64_t mask_batch : {1, 2, 4})
    for (int64_t queries : {1, 100})
      compare({.batch = 4,
               .heads = 3,
               .queries = 100,
               .keys = {250},
               .depth = 4,
               .width = 4,
               .bias_batch = mask_batch == 2 ? 1 : 0,
               .mask_batch = mask_batch,
               .mask_queries = queries});
}

TEST(Attention, OfSeveralKeySetsInOneSoftmax) {
  compare({.batch = 2, .heads = 2, .queries = 20, .keys = {5, 0, 260, 1}, .depth = 8, .width = 16});
  compare({.batch = 2,
           .heads = 2,
           .queries = 20,
           .keys = {5, 11},
           .depth = 8,
           .width = 16,
           .bias_batch = 2,
           .bias_heads = 2,
           .mask_batch = 1,
           .mask_queries = 20});
}

TEST(Attention, OfLargeScores) {
  for (int64_t n : {64, 500})
    compare({.queries = n, .keys = {n}, .depth = 32, .width = 16, .largest_score = 80}, 64);
}

TEST(Attention, QueryWithoutKeysIsZero) {
  for (const std::vector<int64_t>& keys : {std::vector<int64_t>{0}, {0, 0}}) {
    const AttentionProblem problem({.queries = 3, .keys = keys, .depth = 4, .width = 2});
    const Attended got = attend(problem.of);
    EXPECT_EQ(got.y, std::vector<float>(6, 0));
    EXPECT_EQ(got.maximum, std::vector<float>(3, -kInfinity));
  }
  EXPECT_TRUE(attend(AttentionProblem({.batch = 0, .queries = 3, .keys = {5}}).of).y.empty());
}

// A key of -infinity has no share, even if it is a tile's only one; a NaN or +infinity makes its row NaN.
TEST(Attention, OfInfinitiesAndNaNs) {
  constexpr int64_t kQueries = 5, kKeys = 500;
  AttentionProblem problem({.queries = kQueries, .keys = {kKeys}, .depth = 4, .width = 20, .bias_batch = 1});
  float* bias = problem.change(problem.of.sets[0].bias.data);
  std::fill_n(bias, 499, -kInfinity);
  std::fill_n(bias + kKeys, kKeys, -kInfinity);
  bias[2 * kKeys + 3] = std::nanf("");
  bias[3 * kKeys + 499] = kInfinity;
  const Attended got = attend(problem.of);
  for (size_t c = 0; c < 20; ++c) {
    EXPECT_FLOAT_EQ(got.y[c], problem.of.sets[0].v.data[499 * 20 + c]);
    EXPECT_EQ(got.y[20 + c], 0);
    EXPECT_TRUE(std::isnan(got.y[40 + c]));
    EXPECT_TRUE(std::isnan(got.y[60 + c]));
    EXPECT_TRUE(std::isfinite(got.y[80 + c]));
  }
}

TEST(Attention, MaskedKeyMayBeAnything) {
  AttentionProblem problem({.queries = 3, .keys = {20}, .depth = 4, .width = 2, .mask_batch = 1});
  const Attended before = attend(problem.of);
  const KeySet<float>& set = problem.of.sets[0];
  const int32_t* masked = std::find(set.mask.data, set.mask.data + set.keys, 0);
  ASSERT_NE(masked, set.mask.data + set.keys);
  problem.change(set.k.data)[(masked - set.mask.data) * set.k.stride] = std::nanf("");
  EXPECT_EQ(attend(problem.of).y, before.y);
}

TEST(Attention, HasTheSameBitsForAnyThreadsAndNeighbours) {
  const AttentionSizes sizes = {
      .batch = 3, .heads = 2, .queries = 130, .keys = {250}, .depth = 8, .width = 24};
  AttentionProblem problem(sizes);
  const Attended one = attend(problem.of, 1), two = attend(problem.of, 2), five = attend(problem.of, 5);
  EXPECT_EQ(bits(one.y), bits(two.y));
  EXPECT_EQ(bits(one.y), bits(five.y));
  EXPECT_EQ(bits(one.sum), bits(five.sum));
  const int64_t item = one.stride * sizes.queries;
  std::fill_n(problem.change(problem.of.q.data), problem.of.q.stride * sizes.queries, std::nanf(""));
  std::fill_n(problem.change(problem.of.sets[0].v.data), problem.of.sets[0].v.stride * 250, std::nanf(""));
  const std::vector<float> beside = attend(problem.of).y;
  EXPECT_EQ(bits({one.y.begin() + item, one.y.end()}), bits({beside.begin() + item, beside.end()}));
}

TEST(Attention, TakesAtMostFourMebibytesAThread) {
  const AttentionOf<float> large = {
      .batch = 64, .heads = 16, .queries = 8192, .depth = kMaxHeadSize, .width = 2048};
  EXPECT_LE(attention_scratch_floats(large, 8), 8 * (1 << 20));
}

}  // namespace
}  // namespace tyto::kernels

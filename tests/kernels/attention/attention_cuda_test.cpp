#include "kernels/attention/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/attention/device_attention.h"
#include "kernels/common/device_error.h"
#include "kernels/cuda/profile_batch.h"

namespace tyto::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class T>
struct Attended {
  DeviceArray<T> y;
  DeviceArray<float> maximum, sum;
  int64_t stride;

  Attended(const AttentionOf<T>& of, int64_t gap, int64_t offset)
      : y(of.batch * of.queries * (of.heads * of.width + gap) + offset),
        maximum(of.batch * of.heads * of.queries),
        sum(of.batch * of.heads * of.queries),
        stride(of.heads * of.width + gap) {
    attention<T>(of, {y.data() + offset, stride}, {maximum.data(), sum.data()}, nullptr);
  }
};

template <class T>
void compare(const AttentionSizes& sizes, int64_t offset = 0) {
  SCOPED_TRACE(::testing::Message() << sizes.queries << " queries, " << sizes.keys[0] << " keys, depth "
                                    << sizes.depth << ", width " << sizes.width << ", heads " << sizes.heads
                                    << ", bias " << sizes.bias_batch << ", mask " << sizes.mask_batch);
  DeviceAttention<T> attended(sizes, offset);
  const AttentionOf<float>& of = attended.problem.of;
  const Attended<T> got(attended.device, sizes.gap, offset);
  const std::vector<float> y = floats(got.y.download()), maximum = got.maximum.download(),
                           sum = got.sum.download();
  const double largest = largest_value(of);
  for (int64_t i = 0; i < of.batch * of.heads * of.queries; ++i) {
    const int64_t query = i % of.queries, head = i / of.queries % of.heads, b = i / of.queries / of.heads;
    const AttentionRow row = attention_row(of, b, head, query);
    const double unit = std::is_same_v<T, float> ? 0 : rounding<T>(1);
    const double error = attention_error(row, of.depth, unit);
    const auto at = static_cast<size_t>(i);
    if (row.sum == 0) {
      EXPECT_EQ(maximum[at], -kInfinity);
      EXPECT_EQ(sum[at], 0);
    } else {
      EXPECT_NEAR(maximum[at], row.maximum, attention_error(row, of.depth) * (row.size + 1));
      EXPECT_NEAR(sum[at] / row.sum, 1, probability_error(row, of.depth));
    }
    for (int64_t c = 0; c < of.width; ++c)
      ASSERT_NEAR(
          y[static_cast<size_t>(offset + (b * of.queries + query) * got.stride + head * of.width + c)],
          attention_value(of, row, b, head, c), error * largest)
          << b << " " << head << " " << query << " " << c;
  }
}

template <class T>
class AttentionTest : public ::testing::Test {};
TYPED_TEST_SUITE(AttentionTest, ElementTypes);

TYPED_TEST(AttentionTest, EqualsTheReferenceOnUnkindSizes) {
  for (int64_t n : {1, 2, 31, 64, 65, 130})
    compare<TypeParam>(
        {.queries = n, .keys = {n}, .depth = n == 65 ? 33 : n % 13 + 1, .width = n == 64 ? 24 : 9});
  for (int64_t depth : {8, 32, 64})
    compare<TypeParam>({.queries = 3, .keys = {5}, .depth = depth, .width = 8});
}

// A slice, one past it, a block's columns and one past them.
TYPED_TEST(AttentionTest, OfEveryWidth) {
  for (int64_t width : {64, 65, 128, 129, 256, 257, 512})
    compare<TypeParam>({.queries = 2, .keys = {66}, .depth = 8, .width = width});
}

TYPED_TEST(AttentionTest, OfTheLargestHeads) {
  compare<TypeParam>({.queries = 66, .keys = {3}, .depth = kMaxHeadSize, .width = 16});
}

TYPED_TEST(AttentionTest, OfHeadsInWideRowsAtAnyAddress) {
  const AttentionSizes sizes = {
      .batch = 2, .heads = 3, .queries = 17, .keys = {19}, .depth = 16, .width = 8, .gap = 16};
  compare<TypeParam>(sizes);
  compare<TypeParam>(sizes, kUnaligned);
  compare<TypeParam>({.batch = 2, .heads = 3, .queries = 5, .keys = {7}, .depth = 6, .width = 5, .gap = 1});
}

TYPED_TEST(AttentionTest, OfScoresToEighty) {
  compare<TypeParam>({.queries = 5, .keys = {130}, .depth = 8, .width = 8, .largest_score = 80});
}

TYPED_TEST(AttentionTest, OfEveryBiasAndMask) {
  for (int64_t batch : {1, 2, 4})
    for (int64_t heads : {1, 2})
      compare<TypeParam>({.batch = 4,
                          .heads = 2,
                          .queries = 5,
                          .keys = {66},
                          .depth = 4,
                          .width = 4,
                          .bias_batch = batch,
                          .bias_heads = heads,
                          .mask_batch = heads == 1 ? batch : 0,
                          .mask_queries = batch == 2 ? 1 : 5});
}

TYPED_TEST(AttentionTest, OfSeveralKeySets) {
  compare<TypeParam>({.queries = 5, .keys = {3, 0, 65, 1}, .depth = 4, .width = 4});
  compare<TypeParam>({.queries = 5,
                      .keys = {3, 65},
                      .depth = 4,
                      .width = 4,
                      .bias_batch = 1,
                      .mask_batch = 1,
                      .mask_queries = 5});
}

TYPED_TEST(AttentionTest, QueryWithoutKeysIsZero) {
  compare<TypeParam>({.queries = 3, .keys = {0}, .depth = 4, .width = 2});
  compare<TypeParam>({.batch = 0, .queries = 3, .keys = {5}, .depth = 4, .width = 2});
}

TYPED_TEST(AttentionTest, OfInfinitiesAndNaNs) {
  DeviceAttention<TypeParam> p({.queries = 4, .keys = {70}, .depth = 4, .width = 3});
  std::vector<float> bias(4 * 70);
  std::fill_n(bias.begin(), 69, -kInfinity);
  std::fill_n(bias.begin() + 70, 70, -kInfinity);
  bias[2 * 70 + 3] = std::nanf("");
  bias[3 * 70 + 69] = kInfinity;
  p.device.sets[0].bias = {p.upload(bias.data(), 4 * 70), 1, 1};
  const std::vector<float> y = floats(Attended<TypeParam>(p.device, 0, 0).y.download());
  for (size_t c = 0; c < 3; ++c) {
    EXPECT_EQ(y[c], p.problem.of.sets[0].v.data[69 * 3 + c]);
    EXPECT_EQ(y[3 + c], 0);
    EXPECT_TRUE(std::isnan(y[6 + c]));
    EXPECT_TRUE(std::isnan(y[9 + c]));
  }
}

TYPED_TEST(AttentionTest, MaskedKeyMayBeAnything) {
  DeviceAttention<TypeParam> p({.queries = 3, .keys = {20}, .depth = 4, .width = 2, .mask_batch = 1});
  const std::vector<float> before = floats(Attended<TypeParam>(p.device, 0, 0).y.download());
  const KeySet<float>& set = p.problem.of.sets[0];
  const int32_t* masked = std::find(set.mask.data, set.mask.data + set.keys, 0);
  ASSERT_NE(masked, set.mask.data + set.keys);
  p.problem.change(set.k.data)[(masked - set.mask.data) * set.k.stride] = std::nanf("");
  p.device.sets[0].k = p.upload(set.k, set.keys);
  EXPECT_EQ(floats(Attended<TypeParam>(p.device, 0, 0).y.download()), before);
}

TEST(Attention, RefusesMoreThanAnIndexHolds) {
  constexpr int64_t kMany = int64_t{1} << 31;
  AttentionOf<float> of = {.batch = 1, .queries = kMany, .depth = 1, .width = 1};
  EXPECT_THROW(attention<float>(of, {}, {}, nullptr), DeviceError);
  of.queries = 1;
  of.sets[0].keys = kMany;
  EXPECT_THROW(attention<float>(of, {}, {}, nullptr), DeviceError);
  of.sets[0].keys = 1;
  of.depth = kMaxHeadSize + 1;
  EXPECT_THROW(attention<float>(of, {}, {}, nullptr), DeviceError);
}

TEST(Profile, Attention) {
  const AttentionSizes plain = {
      .batch = profile_batch(), .heads = 2, .queries = 130, .keys = {197}, .depth = 64, .width = 64};
  compare<__half>(plain);
  AttentionSizes windows = plain;  // with a bias of their own and a mask
  windows.bias_heads = 2;
  windows.queries = windows.mask_queries = 64;
  windows.keys = {64};
  windows.bias_batch = windows.mask_batch = 1;
  compare<__half>(windows);
  compare<float>(windows);
}

}  // namespace
}  // namespace tyto::kernels

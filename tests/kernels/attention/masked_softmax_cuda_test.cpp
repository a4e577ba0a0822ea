#include "kernels/attention/masked_softmax.h"

#include <gtest/gtest.h>

#include "kernels/attention/attention_case.h"
#include "kernels/common/device_error.h"
#include "kernels/cuda/array_batch.h"
#include "kernels/cuda/profile_batch.h"

namespace tyto::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class T>
class MaskedSoftmaxTest : public ::testing::Test {};
TYPED_TEST_SUITE(MaskedSoftmaxTest, ElementTypes);

template <class T>
void compare(const AttentionCase& c, int64_t offset = 0) {
  SCOPED_TRACE(::testing::Message() << c.shape.keys << " keys, bias " << c.bias_batch << " " << c.bias_heads
                                    << ", mask " << c.mask_batch << " " << c.mask_queries);
  const ArrayBatch<float> scores(c.scores(), offset);
  const ArrayBatch<T> bias(c.bias());
  const std::vector<int32_t> mask = c.mask();
  const DeviceArray<int32_t> device_mask(mask);
  NhwcResult<T> y({1, 1, c.shape.rows(), c.shape.keys}, offset);
  masked_softmax<T>(
      scores.address(), c.shape, {c.bias_batch > 0 ? bias.address() : nullptr, c.bias_batch, c.bias_heads},
      {c.mask_batch > 0 ? device_mask.data() : nullptr, c.mask_batch, c.mask_queries}, y.data(), nullptr);
  const std::vector<float> got = y.download();
  for_each_probability(
      c, scores.values(), bias.values(), mask, [&](size_t i, double want, double below_largest) {
        ASSERT_NEAR(got[i], want, tolerance<T>(want, attention_roundings(below_largest, c.shape.keys), want))
            << i;
      });
}

TYPED_TEST(MaskedSoftmaxTest, EqualsTheReference) {
  for (const AttentionCase& c : attention_cases()) compare<TypeParam>(c);
}

TYPED_TEST(MaskedSoftmaxTest, TakesUnalignedScores) { compare<TypeParam>({{1, 1, 2, 16}}, kUnaligned); }

TEST(MaskedSoftmax, RunsInPlace) {
  for (int64_t keys : {8, 1100}) {
    const AttentionShape shape = {1, 2, 2, keys};
    ArrayBatch<float> scores(shape.rows() * keys);
    NhwcResult<float> y({1, 1, shape.rows(), keys});
    masked_softmax<float>(scores.address(), shape, {}, {}, y.data(), nullptr);
    masked_softmax<float>(scores.address(), shape, {}, {}, scores.data(), nullptr);
    EXPECT_EQ(scores.download(), y.download());
  }
}

TEST(MaskedSoftmax, OfInfinitiesAndNaNs) {
  const ArrayBatch<float> scores({-kInfinity, 2, -kInfinity, -kInfinity, std::nanf(""), 1, kInfinity, 1});
  NhwcResult<float> y({1, 1, 4, 2});
  masked_softmax<float>(scores.address(), {1, 1, 4, 2}, {}, {}, y.data(), nullptr);
  const std::vector<float> got = y.download();
  EXPECT_EQ(std::vector<float>(got.begin(), got.begin() + 4), (std::vector<float>{0, 1, 0, 0}));
  for (size_t i = 4; i < 7; ++i) EXPECT_TRUE(std::isnan(got[i])) << i;
}

TEST(MaskedSoftmax, RefusesMoreThanAnIndexHolds) {
  constexpr int64_t kMany = int64_t{1} << 31;
  EXPECT_THROW(masked_softmax<float>(nullptr, {1, 1, 1, kMany}, {}, {}, nullptr, nullptr), DeviceError);
  EXPECT_THROW(masked_softmax<float>(nullptr, {2, 1, kMany / 2, 1}, {}, {}, nullptr, nullptr), DeviceError);
}

TEST(Profile, MaskedSoftmax) { compare<__half>({{profile_batch(), 4, 64, 256}, 1, 4, profile_batch(), 1}); }

}  // namespace
}  // namespace tyto::kernels

#include "kernels/attention/masked_softmax.h"

#include <gtest/gtest.h>

#include "engine/self_test/tolerance.h"
#include "kernels/attention/attention_case.h"

namespace tyto::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(MaskedSoftmax, EqualsTheReference) {
  for (const AttentionCase& c : attention_cases())
    for (bool in_place : {false, true}) {
      std::vector<float> scores = c.scores(), y(scores.size());
      const std::vector<float> before = scores, bias = c.bias();
      const std::vector<int32_t> mask = c.mask();
      masked_softmax_cpu(scores.data(), c.shape,
                         {c.bias_batch > 0 ? bias.data() : nullptr, c.bias_batch, c.bias_heads},
                         {c.mask_batch > 0 ? mask.data() : nullptr, c.mask_batch, c.mask_queries},
                         in_place ? scores.data() : y.data());
      const std::vector<float>& got = in_place ? scores : y;
      for_each_probability(c, before, bias, mask, [&](size_t i, double want, double below_largest) {
        ASSERT_NEAR(got[i], want,
                    attention_roundings(below_largest, c.shape.keys) * unit_roundoff(Precision::Fp32) * want)
            << c.shape.keys << " keys, " << i;
      });
    }
}

TEST(MaskedSoftmax, OfMoreQueriesThanAThreadTakesAtOnce) {
  const AttentionCase c = {{1, 2, 37, 5}, 1, 2, 1, 37};
  const std::vector<float> scores = c.scores(), bias = c.bias();
  const std::vector<int32_t> mask = c.mask();
  std::vector<float> y(scores.size()), rows(scores.size());
  masked_softmax_cpu(scores.data(), c.shape, {bias.data(), 1, 2}, {mask.data(), 1, 37}, y.data());
  for (int64_t head = 0; head < 2; ++head)
    masked_softmax_rows_cpu(scores.data() + head * 37 * 5, 37, 5, bias.data() + head * 37 * 5, mask.data(), 5,
                            rows.data() + head * 37 * 5);
  EXPECT_EQ(y, rows);
}

TEST(MaskedSoftmax, OfInfinitiesAndNaNs) {
  const float scores[] = {-kInfinity, 2, -kInfinity, -kInfinity, std::nanf(""), 1, kInfinity, 1};
  float y[8];
  masked_softmax_rows_cpu(scores, 4, 2, nullptr, nullptr, 0, y);
  EXPECT_EQ(std::vector<float>(y, y + 4), (std::vector<float>{0, 1, 0, 0}));
  for (int i = 4; i < 7; ++i) EXPECT_TRUE(std::isnan(y[i])) << i;
}

}  // namespace
}  // namespace tyto::kernels

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

TEST(MaskedSoftmax, OfInfinitiesAndNaNs) {
  const float scores[] = {-kInfinity, 2, -kInfinity, -kInfinity, std::nanf(""), 1, kInfinity, 1};
  float y[8];
  masked_softmax_cpu(scores, {1, 1, 4, 2}, {}, {}, y);
  EXPECT_EQ(std::vector<float>(y, y + 4), (std::vector<float>{0, 1, 0, 0}));
  for (int i = 4; i < 7; ++i) EXPECT_TRUE(std::isnan(y[i])) << i;
}

}  // namespace
}  // namespace tyto::kernels

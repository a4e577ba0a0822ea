#include "kernels/attention/position_attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/attention/attention_reference.h"
#include "kernels/cuda/array_batch.h"
#include "kernels/cuda/profile_batch.h"

namespace tyto::kernels {
namespace {

template <class T>
class PositionAttentionTest : public ::testing::Test {};
TYPED_TEST_SUITE(PositionAttentionTest, ElementTypes);

// Scores, not scaled, have sqrt(depth) deviations.
template <class T>
void compare(int64_t batch, int64_t positions, int64_t depth, int64_t channels, float gamma,
             float largest_score = 5) {
  SCOPED_TRACE(::testing::Message() << positions << " positions, depth " << depth << ", " << channels
                                    << " channels");
  const float deviation = std::sqrt(largest_score / (5 * std::sqrt(static_cast<float>(depth))));
  const auto numbers = [&](int64_t count, uint32_t seed, float size) {
    std::vector<float> values = random_floats(batch * positions * count, seed);
    for (float& v : values) v *= size;
    return values;
  };
  const ArrayBatch<T> q(numbers(depth, 1, deviation)), k(numbers(depth, 2, deviation)),
      v(numbers(channels, 3, 1)), x(numbers(channels, 4, 1));
  const DeviceArray<float> device_gamma(std::vector<float>{gamma});
  DeviceArray<T> device_y(batch * positions * channels);
  position_attention<T>({.batch = batch,
                         .positions = positions,
                         .depth = depth,
                         .channels = channels,
                         .q = q.address(),
                         .k = k.address(),
                         .v = v.address(),
                         .x = x.address(),
                         .gamma = device_gamma.data()},
                        device_y.data(), {}, nullptr);
  const std::vector<float> y = floats(device_y.download());
  if (gamma == 0) {
    EXPECT_EQ(y, x.values());
    return;
  }
  const AttentionOf<float> of = attention_of(PositionAttentionOf<float>{.batch = batch,
                                                                        .positions = positions,
                                                                        .depth = depth,
                                                                        .channels = channels,
                                                                        .q = q.values().data(),
                                                                        .k = k.values().data(),
                                                                        .v = v.values().data()});
  double largest = 0;
  for (const float value : v.values()) largest = std::max(largest, std::fabs(double{value}));
  const double unit = std::is_same_v<T, float> ? 0 : rounding<T>(1);
  for (int64_t i = 0; i < batch * positions; ++i) {
    const AttentionRow row = attention_row(of, i / positions, 0, i % positions);
    const double error = attention_error(row, depth, unit) * largest * std::fabs(gamma);
    for (int64_t c = 0; c < channels; ++c) {
      const auto at = static_cast<size_t>(i * channels + c);
      const double want = gamma * attention_value(of, row, i / positions, 0, c) + x.values()[at];
      ASSERT_NEAR(y[at], want, error + tolerance<T>(want, 2, std::fabs(want) + largest * std::fabs(gamma)))
          << i << " " << c;
    }
  }
}

TYPED_TEST(PositionAttentionTest, EqualsTheReference) {
  compare<TypeParam>(1, 1, 1, 8, 0.7f);
  compare<TypeParam>(2, 65, 8, 40, -1.3f);
  compare<TypeParam>(1, 66, 32, 256, 0.7f);
  compare<TypeParam>(1, 31, 64, 512, 0.7f);
}

TYPED_TEST(PositionAttentionTest, OfScoresToEighty) { compare<TypeParam>(1, 70, 8, 16, 1, 80); }

TYPED_TEST(PositionAttentionTest, OfGammaZeroIsItsInput) { compare<TypeParam>(2, 5, 4, 12, 0); }

// Of DPAN's map an eighth.
TEST(Profile, PositionAttention) {
  compare<__half>(profile_batch(), 324, 32, 256, 0.7f);
  compare<float>(profile_batch(), 64, 32, 256, 0.7f);
}

}  // namespace
}  // namespace tyto::kernels

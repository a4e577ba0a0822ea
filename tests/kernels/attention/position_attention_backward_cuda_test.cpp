#include <gtest/gtest.h>

#include "kernels/attention/attention_reference.h"
#include "kernels/attention/position_attention.h"
#include "kernels/cuda/array_batch.h"
#include "kernels/cuda/profile_batch.h"

namespace tyto::kernels {
namespace {

template <class T>
constexpr double kRoundoff = std::is_same_v<T, float>    ? 0
                             : std::is_same_v<T, __half> ? 0x1p-11
                                                         : 0x1p-8;

struct MapSizes {
  int64_t batch = 1, positions = 1, depth = 1, channels = 1;
  float gamma = 0.75f, largest_score = 4;  // about: five deviations
};

template <class T>
void compare(const MapSizes& sizes) {
  SCOPED_TRACE(::testing::Message() << sizes.positions << " positions, depth " << sizes.depth << ", "
                                    << sizes.channels << " channels, gamma " << sizes.gamma);
  const int64_t rows = sizes.batch * sizes.positions;
  std::vector<float> of_q = random_floats(rows * sizes.depth, 1);
  for (float& v : of_q) v *= sizes.largest_score / (5 * std::sqrt(static_cast<float>(sizes.depth)));
  const ArrayBatch<T> q(of_q), k(rows * sizes.depth, 2), v(rows * sizes.channels, 3),
      y_gradient(rows * sizes.channels, 4);
  const DeviceArray<float> gamma(std::vector<float>{sizes.gamma});
  const AttentionOf<float> host =
      attention_of<float>({sizes.batch, sizes.positions, sizes.depth, sizes.channels, q.values().data(),
                           k.values().data(), v.values().data()});
  std::vector<float> maximum, sum;
  for (int64_t i = 0; i < rows; ++i) {
    const AttentionRow row = attention_row(host, i / sizes.positions, 0, i % sizes.positions);
    maximum.push_back(static_cast<float>(row.maximum));
    sum.push_back(static_cast<float>(row.sum));
  }
  DeviceArray<float> device_maximum(maximum), device_sum(sum), to_gamma(1),
      workspace(position_attention_backward_floats(sizes.batch, sizes.positions));
  const PositionAttentionOf<T> of = {.batch = sizes.batch,
                                     .positions = sizes.positions,
                                     .depth = sizes.depth,
                                     .channels = sizes.channels,
                                     .q = q.address(),
                                     .k = k.address(),
                                     .v = v.address(),
                                     .x = nullptr,
                                     .gamma = gamma.data()};
  NhwcResult<T> to_q({1, 1, rows, sizes.depth}), to_k({1, 1, rows, sizes.depth}),
      to_v({1, 1, rows, sizes.channels}), to_x({1, 1, rows, sizes.channels});
  position_attention_backward<T>(of, {device_maximum.data(), device_sum.data()}, y_gradient.address(),
                                 {to_q.data(), to_k.data(), to_v.data(), to_x.data(), to_gamma.data()},
                                 workspace.data(), nullptr);

  const ReferenceGradients want =
      attention_gradients(host, {y_gradient.values().data(), sizes.channels}, kRoundoff<T>);
  // A probability or score's gradient in fp16 below 2^-14 is off by up to 2^-25 as well; factors are of up to
  // five deviations.
  const double floor =
      std::is_same_v<T, __half> ? 0x1p-25 * 5 * static_cast<double>(sizes.positions) * sizes.gamma : 0;
  const auto expect_near = [&](const char* what, const std::vector<float>& got,
                               const std::vector<Summed>& sums) {
    for (size_t i = 0; i < got.size(); ++i) {
      const double value = sizes.gamma * sums[i].value;
      ASSERT_NEAR(got[i], value, sizes.gamma * want.error * sums[i].size + floor + rounding<T>(value))
          << what << " " << i;
    }
  };
  expect_near("q", to_q.download(), want.q);
  expect_near("k", to_k.download(), want.sets[0].k);
  expect_near("v", to_v.download(), want.sets[0].v);
  EXPECT_EQ(to_x.download(), y_gradient.values());
  Summed of_gamma;
  for (const Summed& one : want.row_dot) of_gamma.add(one.value, one.size);
  EXPECT_NEAR(to_gamma.download()[0], of_gamma.value, want.error * of_gamma.size);
}

template <class T>
class PositionAttentionBackwardTest : public ::testing::Test {};
TYPED_TEST_SUITE(PositionAttentionBackwardTest, ElementTypes);

TYPED_TEST(PositionAttentionBackwardTest, EqualsTheReferenceOnUnkindSizes) {
  compare<TypeParam>({.positions = 1, .depth = 1, .channels = 8});
  compare<TypeParam>({.batch = 2, .positions = 2, .depth = 8, .channels = 8});
  compare<TypeParam>({.batch = 2, .positions = 31, .depth = 1, .channels = 9});
  compare<TypeParam>({.positions = 65, .depth = 64, .channels = 8});
  compare<TypeParam>({.positions = 130, .depth = 32, .channels = 40});
}

TYPED_TEST(PositionAttentionBackwardTest, OfManyChannels) {
  compare<TypeParam>({.positions = 3, .depth = 8, .channels = 512});
}

TYPED_TEST(PositionAttentionBackwardTest, OfLargeScores) {
  compare<TypeParam>({.positions = 40, .depth = 32, .channels = 16, .largest_score = 80});
}

TYPED_TEST(PositionAttentionBackwardTest, GivesGammaAGradientWhereItIsZero) {
  compare<TypeParam>({.batch = 2, .positions = 31, .depth = 8, .channels = 8, .gamma = 0});
}

TEST(Profile, PositionAttentionBackward) {
  const MapSizes sizes = {.batch = profile_batch(), .positions = 192, .depth = 32, .channels = 128};
  compare<float>(sizes);
  compare<__half>(sizes);
}

}  // namespace
}  // namespace tyto::kernels

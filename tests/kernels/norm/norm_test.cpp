#include "kernels/norm/norm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/self_test/tolerance.h"
#include "kernels/blocked_batch.h"

namespace tyto::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> ramp(int64_t n, float from, float step) {
  std::vector<float> v(static_cast<size_t>(n));
  for (size_t i = 0; i < v.size(); ++i) v[i] = from + step * static_cast<float>(i % 11);
  return v;
}

double normalized(BlockedBatch& x, int64_t i, int64_t c, double value, double epsilon) {
  const auto& v = x.view();
  double mean = 0, variance = 0;
  for (int64_t y = 0; y < v.height; ++y)
    for (int64_t z = 0; z < v.width; ++z) mean += x.at(i, c, y, z) / static_cast<double>(v.area());
  for (int64_t y = 0; y < v.height; ++y)
    for (int64_t z = 0; z < v.width; ++z)
      variance += std::pow(x.at(i, c, y, z) - mean, 2) / static_cast<double>(v.area());
  return (value - mean) / std::sqrt(variance + epsilon);
}

// Runs `kernel` and compares every element with expected(x, i, c, value).
template <class Kernel, class Expected>
void compare(const BatchShape& shape, int64_t block, double scale, const Kernel& kernel,
             const Expected& expected) {
  BlockedBatch x(shape, block), y(shape, block);
  x.fill(5);
  kernel(x.read(), y.view());
  const double tolerance = scale * sum_tolerance(Precision::Fp32, 3, 1);
  for (int64_t i = 0; i < shape.n; ++i)
    for (int64_t c = 0; c < shape.channels; ++c)
      for (int64_t r = 0; r < shape.height; ++r)
        for (int64_t s = 0; s < shape.width; ++s)
          ASSERT_NEAR(y.at(i, c, r, s), expected(x, i, c, double{x.at(i, c, r, s)}), tolerance)
              << "block " << block;
}

TEST(InstanceNorm, NormalizesTheFirstChannelsAndPassesTheRestInEveryLayout) {
  for (const BatchShape& shape : unkind_shapes())
    for (int64_t block : blocks())
      for (int64_t count : {int64_t{0}, shape.channels / 2, shape.channels}) {
        const auto scale = ramp(count, 0.5f, 0.1f), shift = ramp(count, -0.5f, 0.1f);
        const float epsilon = 1e-3f;  // bounds 1 / sqrt(variance + epsilon) by 32
        compare(
            shape, block, 2 * 32 * 2,
            [&](auto x, auto y) {
              instance_norm_cpu(x, scale.data(), shift.data(), count, epsilon, {-kInfinity, kInfinity}, y);
            },
            [&](BlockedBatch& x, int64_t i, int64_t c, double v) {
              const auto k = static_cast<size_t>(c);
              return c < count ? normalized(x, i, c, v, double{epsilon}) * scale[k] + shift[k] : v;
            });
      }
}

TEST(ChannelAffine, ScalesShiftsAndClampsInEveryLayout) {
  for (const BatchShape& shape : unkind_shapes())
    for (int64_t block : blocks()) {
      const auto scale = ramp(shape.channels, -1.0f, 0.3f), shift = ramp(shape.channels, 2.0f, -0.4f);
      compare(
          shape, block, 8,
          [&](auto x, auto y) {
            channel_affine_cpu(x, scale.data(), shift.data(), {0.0f, 1.5f}, y);
          },
          [&](BlockedBatch&, int64_t, int64_t c, double v) {
            const auto k = static_cast<size_t>(c);
            return std::clamp(v * scale[k] + shift[k], 0.0, 1.5);
          });
    }
}

TEST(Norm, RunsInPlace) {
  const BatchShape shape{2, 17, 5, 3};
  const auto scale = ramp(17, 0.5f, 0.1f), shift = ramp(17, 0.0f, 0.2f);
  BlockedBatch x(shape, 8), y(shape, 8);
  x.fill(9);
  instance_norm_cpu(x.read(), scale.data(), shift.data(), 9, 1e-5f, {0.0f, kInfinity}, y.view());
  instance_norm_cpu(x.read(), scale.data(), shift.data(), 9, 1e-5f, {0.0f, kInfinity}, x.view());
  for (int64_t c = 0; c < 17; ++c) EXPECT_EQ(x.at(1, c, 4, 2), y.at(1, c, 4, 2));
}

}  // namespace
}  // namespace tyto::kernels

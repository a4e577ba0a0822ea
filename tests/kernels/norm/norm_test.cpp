#include "kernels/norm/norm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/self_test/tolerance.h"
#include "kernels/blocked_batch.h"

namespace tyto::kernels {
namespace {

std::vector<float> ramp(int64_t n, float from, float step) {
  std::vector<float> v(static_cast<size_t>(n));
  for (size_t i = 0; i < v.size(); ++i) v[i] = from + step * static_cast<float>(i % 11);
  return v;
}

// By the moments of channels [first, first + width).
double normalized(BlockedBatch& x, int64_t i, int64_t first, int64_t width, double value, double epsilon) {
  const auto& v = x.view();
  const auto each = [&](const auto& body) {
    for (int64_t c = first; c < first + width; ++c)
      for (int64_t y = 0; y < v.height; ++y)
        for (int64_t z = 0; z < v.width; ++z) body(double{x.at(i, c, y, z)});
  };
  double mean = 0, variance = 0;
  const auto count = static_cast<double>(v.area() * width);
  each([&](double u) { mean += u / count; });
  each([&](double u) { variance += (u - mean) * (u - mean) / count; });
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

constexpr float kEpsilon = 1e-3f;  // bounds 1 / sqrt(variance + epsilon) by 32
constexpr double kScale = 2 * 32 * 2;

void compare_group_norm(const BatchShape& shape, int64_t block, int64_t count, int64_t groups,
                        bool has_weights = true) {
  const GroupNorm params = {count, groups, kEpsilon};
  const auto scale = ramp(count, 0.5f, 0.1f), shift = ramp(count, -0.5f, 0.1f);
  std::vector<double> moments(static_cast<size_t>(2 * shape.n * count));
  compare(
      shape, block, kScale,
      [&](auto x, auto y) {
        group_norm_cpu(x, has_weights ? scale.data() : nullptr, has_weights ? shift.data() : nullptr, params,
                       y, moments.data());
      },
      [&](BlockedBatch& x, int64_t i, int64_t c, double v) {
        if (c >= count) return v;
        const auto k = static_cast<size_t>(c);
        const int64_t width = count / groups;
        const double y = normalized(x, i, c / width * width, width, v, double{kEpsilon});
        return has_weights ? y * scale[k] + shift[k] : y;
      });
}

TEST(GroupNorm, OfGroupsOfOneNormalizesTheFirstChannelsAndPassesTheRestInEveryLayout) {
  for (const BatchShape& shape : unkind_shapes())
    for (int64_t block : blocks())
      for (int64_t count : {int64_t{0}, shape.channels / 2, shape.channels})
        compare_group_norm(shape, block, count, std::max<int64_t>(count, 1));
}

// Groups that end within a block and that span some.
TEST(GroupNorm, NormalizesGroupsInEveryLayout) {
  for (int64_t block : blocks()) {
    for (int64_t groups : {1, 2, 5, 10}) compare_group_norm({2, 40, 3, 5}, block, 40, groups);
    compare_group_norm({2, 40, 3, 5}, block, 27, 3);
    compare_group_norm({1, 6, 4, 4}, block, 6, 2, false);
  }
}

TEST(GroupNorm, KeepsPaddingChannelsZeroBehindAnActivation) {
  BlockedBatch x({1, 3, 2, 2}, 8), y({1, 3, 2, 2}, 8);
  x.fill(5);
  double moments[2 * 3];
  group_norm_cpu(x.read(), nullptr, nullptr, {3, 1, kEpsilon, Activation::Sigmoid}, y.view(), moments);
  for (int64_t c = 3; c < 8; ++c) EXPECT_EQ(y.at(0, c, 1, 1), 0);
  EXPECT_GT(y.at(0, 2, 1, 1), 0);
}

TEST(ChannelAffine, ScalesShiftsAndActivatesInEveryLayout) {
  for (const BatchShape& shape : unkind_shapes())
    for (int64_t block : blocks()) {
      const auto scale = ramp(shape.channels, -1.0f, 0.3f), shift = ramp(shape.channels, 5.0f, -0.9f);
      compare(
          shape, block, 8,
          [&](auto x, auto y) { channel_affine_cpu(x, scale.data(), shift.data(), Activation::Relu6, y); },
          [&](BlockedBatch&, int64_t, int64_t c, double v) {
            const auto k = static_cast<size_t>(c);
            return std::clamp(v * scale[k] + shift[k], 0.0, 6.0);
          });
    }
}

TEST(Norm, RunsInPlace) {
  const BatchShape shape{2, 17, 5, 3};
  const auto scale = ramp(17, 0.5f, 0.1f), shift = ramp(17, 0.0f, 0.2f);
  BlockedBatch x(shape, 8), y(shape, 8);
  for (int64_t groups : {3, 9}) {
    const GroupNorm params = {9, groups, 1e-5f, Activation::Relu};
    double moments[2 * 9 * 2];
    x.fill(9);
    group_norm_cpu(x.read(), scale.data(), shift.data(), params, y.view(), moments);
    group_norm_cpu(x.read(), scale.data(), shift.data(), params, x.view(), moments);
    for (int64_t c = 0; c < 17; ++c) EXPECT_EQ(x.at(1, c, 4, 2), y.at(1, c, 4, 2));
  }
}

}  // namespace
}  // namespace tyto::kernels

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "kernels/common/device_error.h"
#include "kernels/cuda/nhwc_batch.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/pooling/adaptive_average_pool.h"
#include "kernels/pooling/max_pool.h"

namespace tyto::kernels {
namespace {

template <class T>
class MaxPoolTest : public ::testing::Test {};
TYPED_TEST_SUITE(MaxPoolTest, ElementTypes);
template <class T>
class AdaptiveAveragePoolTest : public ::testing::Test {};
TYPED_TEST_SUITE(AdaptiveAveragePoolTest, ElementTypes);

// The output's size where a last window that begins inside the map counts (ceil_mode) or does not.
MapShape output_of(const MapShape& x, const MaxPoolWindow& w, bool ceil) {
  const auto size = [&](int64_t in, int64_t padding) {
    const int64_t room = in + 2 * padding - w.kernel;
    if (room < 0 && !(ceil && in + padding > 0)) return int64_t{0};
    int64_t count = room < 0 ? 1 : (room + (ceil ? w.stride - 1 : 0)) / w.stride + 1;
    if (ceil && (count - 1) * w.stride >= in + padding) --count;
    return count;
  };
  return {x.n, size(x.height, w.padding_top), size(x.width, w.padding_left), x.channels};
}

template <class T>
void compare_max_pool(const MapShape& shape, const MaxPoolWindow& window, bool ceil, int64_t offset = 0) {
  const MapShape out = output_of(shape, window, ceil);
  const NhwcBatch<T> x(shape);
  NhwcResult<T> y(out, offset);
  max_pool<T>(x.read(), window, y.write(), nullptr);
  const std::vector<float> got = y.download();
  size_t at = 0;
  for_each_element(out, [&](int64_t i, int64_t r, int64_t s, int64_t c) {
    float best = -std::numeric_limits<float>::infinity();
    for (int a = 0; a < window.kernel; ++a)
      for (int b = 0; b < window.kernel; ++b) {
        const int64_t row = r * window.stride - window.padding_top + a;
        const int64_t column = s * window.stride - window.padding_left + b;
        if (x.inside(row, column)) best = std::max(best, x.at(i, row, column, c));
      }
    ASSERT_EQ(got[at++], best);
  });
}

TYPED_TEST(MaxPoolTest, EqualsTheReferenceForEveryWindow) {
  for (const MapShape& shape : awkward_shapes())
    for (const MaxPoolWindow& window :
         {MaxPoolWindow{2, 2, 0, 0}, MaxPoolWindow{3, 2, 1, 1}, MaxPoolWindow{3, 1, 1, 1},
          MaxPoolWindow{3, 2, 0, 1}, MaxPoolWindow{4, 3, 2, 1}, MaxPoolWindow{1, 2, 0, 0}})
      for (bool ceil : {false, true}) compare_max_pool<TypeParam>(shape, window, ceil);
}

TYPED_TEST(MaxPoolTest, EveryPlaceOfABlockIsServed) {
  for (const MapShape& shape : kManyImages) compare_max_pool<TypeParam>(shape, {3, 1, 1, 1}, false);
}

TYPED_TEST(MaxPoolTest, NaNWinsWhereverItStands) {
  for (int64_t channels : {1, 16})
    for (int64_t place : {0, 1, 2, 3}) {
      std::vector<float> values(static_cast<size_t>(4 * channels), 2.0f);
      values[static_cast<size_t>(place * channels)] = std::numeric_limits<float>::quiet_NaN();
      const NhwcBatch<TypeParam> x({1, 2, 2, channels}, values);
      NhwcResult<TypeParam> y({1, 1, 1, channels});
      max_pool<TypeParam>(x.read(), {2, 2}, y.write(), nullptr);
      const std::vector<float> got = y.download();
      EXPECT_TRUE(std::isnan(got[0]));
      for (size_t c = 1; c < got.size(); ++c) EXPECT_EQ(got[c], 2.0f);
    }
}

TYPED_TEST(MaxPoolTest, OfNothingButMinusInfinityIsMinusInfinity) {
  const float infinity = std::numeric_limits<float>::infinity();
  const NhwcBatch<TypeParam> x({1, 2, 2, 8}, std::vector<float>(32, -infinity));
  NhwcResult<TypeParam> y({1, 1, 1, 8});
  max_pool<TypeParam>(x.read(), {2, 2}, y.write(), nullptr);
  EXPECT_EQ(y.download(), std::vector<float>(8, -infinity));
}

template <class T>
void compare_average_pool(const MapShape& shape, int64_t height, int64_t width, int64_t offset = 0) {
  const MapShape out = {shape.n, height, width, shape.channels};
  const NhwcBatch<T> x(shape, 1, offset);
  NhwcResult<T> y(out);
  adaptive_average_pool<T>(x.read(), y.write(), nullptr);
  const std::vector<float> got = y.download();
  size_t at = 0;
  for_each_element(out, [&](int64_t i, int64_t r, int64_t s, int64_t c) {
    const int64_t top = r * shape.height / height, bottom = ((r + 1) * shape.height + height - 1) / height;
    const int64_t left = s * shape.width / width, right = ((s + 1) * shape.width + width - 1) / width;
    double sum = 0, magnitude = 0;
    for (int64_t row = top; row < bottom; ++row)
      for (int64_t column = left; column < right; ++column) {
        sum += x.at(i, row, column, c);
        magnitude += std::abs(x.at(i, row, column, c));
      }
    const auto count = static_cast<double>((bottom - top) * (right - left));
    ASSERT_NEAR(got[at++], sum / count, tolerance<T>(sum / count, count, magnitude / count));
  });
}

TYPED_TEST(AdaptiveAveragePoolTest, EqualsTheReferenceOntoEveryGrid) {
  for (const MapShape& shape : awkward_shapes()) {
    compare_average_pool<TypeParam>(shape, 1, 1);
    compare_average_pool<TypeParam>(shape, 1, 2);
    compare_average_pool<TypeParam>(shape, 7, 7);
    compare_average_pool<TypeParam>(shape, shape.height, shape.width);
  }
}

TYPED_TEST(AdaptiveAveragePoolTest, EveryPlaceOfABlockIsServed) {
  for (const MapShape& shape : kManyImages) compare_average_pool<TypeParam>(shape, shape.height, shape.width);
}

// More pixels than a block has lanes for, more channels than a block has, neither a multiple.
TYPED_TEST(AdaptiveAveragePoolTest, GlobalPoolOfManyPixelsAndChannels) {
  for (int64_t channels : {33, 40, 72})
    for (int64_t width : {11, 16}) compare_average_pool<TypeParam>({2, 8, width, channels}, 1, 1);
}

TYPED_TEST(MaxPoolTest, TakesAnUnalignedOutput) {
  compare_max_pool<TypeParam>({1, 5, 5, 16}, {3, 2, 1, 1}, false, kUnaligned);
}

TYPED_TEST(AdaptiveAveragePoolTest, TakesAnUnalignedInput) {
  compare_average_pool<TypeParam>({1, 5, 5, 16}, 1, 1, kUnaligned);
  compare_average_pool<TypeParam>({1, 5, 5, 16}, 3, 3, kUnaligned);
}

TEST(Pooling, RefusesMoreThanAnIndexHolds) {
  EXPECT_THROW(max_pool<float>({nullptr, 1, 1 << 16, 1 << 15, 1}, {}, {}, nullptr), DeviceError);
  EXPECT_THROW(adaptive_average_pool<float>({nullptr, 1, 1 << 16, 1 << 15, 1}, {}, nullptr), DeviceError);
}

TEST(Profile, MaxPool) { compare_max_pool<__half>({profile_batch(), 56, 56, 64}, {3, 2, 1, 1}, false); }
TEST(Profile, AdaptiveAveragePool) { compare_average_pool<__half>({profile_batch(), 14, 14, 64}, 7, 7); }
TEST(Profile, GlobalAveragePool) { compare_average_pool<__half>({2 * profile_batch(), 16, 8, 512}, 1, 1); }

}  // namespace
}  // namespace tyto::kernels

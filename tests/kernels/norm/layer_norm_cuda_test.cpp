#include "kernels/norm/layer_norm.h"

#include <gtest/gtest.h>

#include "kernels/common/device_error.h"
#include "kernels/cuda/array_batch.h"
#include "kernels/cuda/profile_batch.h"

namespace tyto::kernels {
namespace {

template <class T>
class LayerNormTest : public ::testing::Test {};
TYPED_TEST_SUITE(LayerNormTest, ElementTypes);

struct Options {
  bool scale = true, shift = true, in_place = false;
  float mean = 0.5f;
  int64_t offset = 0;
};

template <class T>
void compare(int64_t rows, int64_t width, const Options& options = {}) {
  SCOPED_TRACE(::testing::Message() << rows << " rows of " << width);
  constexpr float kEpsilon = 1e-3f;
  std::vector<float> values = random_floats(rows * width, 1);
  for (float& v : values) v += options.mean;
  ArrayBatch<T> x(values, options.offset);
  const std::vector<float> scale = random_floats(width, 2), shift = random_floats(width, 3);
  const DeviceArray<float> device_scale(scale), device_shift(shift);
  NhwcResult<T> y({1, 1, rows, width}, options.offset);
  layer_norm<T>(x.address(), rows, width, options.scale ? device_scale.data() : nullptr,
                options.shift ? device_shift.data() : nullptr, kEpsilon,
                options.in_place ? x.data() : y.data(), nullptr);
  const std::vector<float> got = options.in_place ? x.download() : y.download();
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = x.values().data() + r * width;
    const auto count = static_cast<double>(width);
    double mean = 0, variance = 0, largest = 0;
    for (int64_t c = 0; c < width; ++c) mean += row[c] / count;
    for (int64_t c = 0; c < width; ++c) variance += (row[c] - mean) * (row[c] - mean) / count;
    for (int64_t c = 0; c < width; ++c) largest = std::max<double>(largest, std::abs(row[c]));
    const double by = 1 / std::sqrt(variance + kEpsilon);
    // A lane adds its share, then come 5 steps over the warp and 8 over the block.
    const double additions = count / 32 + 13;
    for (int64_t c = 0; c < width; ++c) {
      const double a = options.scale ? scale[static_cast<size_t>(c)] : 1.0,
                   b = options.shift ? shift[static_cast<size_t>(c)] : 0.0, normal = (row[c] - mean) * by,
                   e = normal * a + b;
      // The mean is off by a unit of the largest value an addition, the deviation relatively by half as many
      // of its own; five roundings more.
      const double units = std::abs(a) * (by * largest + std::abs(normal)) + std::abs(b);
      ASSERT_NEAR(got[static_cast<size_t>(r * width + c)], e, tolerance<T>(e, additions + 5, units)) << c;
    }
  }
}

TYPED_TEST(LayerNormTest, EqualsTheReference) {
  for (int64_t rows : {0, 1, 9})
    for (int64_t width : {1, 3, 4, 33, 96, 132}) compare<TypeParam>(rows, width);
}

TYPED_TEST(LayerNormTest, OfLongRowsEqualsTheReference) {
  for (int64_t width : {1024, 1025, 1028, 2052}) compare<TypeParam>(2, width);
}

TYPED_TEST(LayerNormTest, NeedsNeitherScaleNorShift) {
  for (int64_t width : {5, 8}) {
    compare<TypeParam>(2, width, {.scale = false});
    compare<TypeParam>(2, width, {.shift = false});
    compare<TypeParam>(2, width, {.scale = false, .shift = false});
  }
}

TYPED_TEST(LayerNormTest, RunsInPlace) {
  for (int64_t width : {40, 1500}) compare<TypeParam>(3, width, {.in_place = true});
}

TYPED_TEST(LayerNormTest, TakesUnalignedRows) { compare<TypeParam>(2, 16, {.offset = kUnaligned}); }

// Sums of x and of x^2 would be off by 0.06 here.
TEST(LayerNorm, SurvivesAMeanOfAThousandDeviations) { compare<float>(2, 768, {.mean = 1000}); }

TEST(LayerNorm, RefusesMoreThanAGridHolds) {
  constexpr int64_t kMany = int64_t{1} << 35;
  EXPECT_THROW(layer_norm<float>(nullptr, kMany, 1, nullptr, nullptr, 1, nullptr, nullptr), DeviceError);
  EXPECT_THROW(layer_norm<float>(nullptr, 1, kMany, nullptr, nullptr, 1, nullptr, nullptr), DeviceError);
}

TEST(Profile, LayerNorm) { compare<__half>(64 * profile_batch(), 384); }
TEST(Profile, LayerNormOfLongRows) { compare<__half>(4 * profile_batch(), 2048); }

}  // namespace
}  // namespace tyto::kernels

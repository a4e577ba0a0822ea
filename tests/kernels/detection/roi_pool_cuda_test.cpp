#include "kernels/detection/roi_pool.h"

#include <gtest/gtest.h>

#include <cfloat>
#include <limits>

#include "kernels/common/device_error.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/detection/roi_pyramid.h"

namespace tyto::kernels {
namespace {

template <class T>
class RoiPoolTest : public testing::Test {};
TYPED_TEST_SUITE(RoiPoolTest, ElementTypes);

// The same values, rounded to T, and the same places as the CPU's.
template <class T>
void expect_same_as_cpu(const MapShape& shape, const RoiCase& c, const RoiPool& params, bool with_argmax,
                        int64_t offset = 0) {
  const RoiPyramid<T> maps(shape, params.levels, offset);
  const MapShape out = {c.rois().total(), params.height, params.width, shape.channels};
  std::vector<float> want(static_cast<size_t>(out.elements()));
  std::vector<int32_t> want_argmax(want.size());
  roi_pool_cpu(maps.host(), c.rois(), params, blocks_of(want, out), want_argmax.data());

  const DeviceRois rois(c);
  NhwcResult<T> features(out, offset);
  DeviceArray<int32_t> argmax(out.elements());
  roi_pool<T>(maps.device(), rois.rois(), params, features.write(), with_argmax ? argmax.data() : nullptr,
              nullptr);
  ASSERT_EQ(bits(features.download()), bits(floats(rounded<T>(want))));
  if (with_argmax) {
    ASSERT_EQ(argmax.download(), want_argmax);
  }
}

void expect_same_gradient_as_cpu(const MapShape& shape, const RoiCase& c, const RoiPool& params) {
  const RoiPyramid<float> maps(shape, params.levels);
  const MapShape out = {c.rois().total(), params.height, params.width, shape.channels};
  std::vector<float> features(static_cast<size_t>(out.elements()));
  std::vector<int32_t> argmax(features.size());
  roi_pool_cpu(maps.host(), c.rois(), params, blocks_of(features, out), argmax.data());
  const NhwcBatch<float> gradient(out, 9);
  RoiGradients gradients(shape, params.levels);
  roi_pool_backward_cpu(gradient.blocks(), argmax.data(), c.rois(), params, gradients.host());

  const DeviceRois rois(c);
  const DeviceArray<int32_t> places(argmax);
  roi_pool_backward(gradient.read(), places.data(), rois.rois(), params, gradients.device(), nullptr);
  gradients.expect_equal();
}

RoiPool one_level(int height, int width, float scale) {
  return {height, width, {.scales = {scale}, .count = 1}};
}

TYPED_TEST(RoiPoolTest, HasTheValuesOfTheCpu) {
  for (int64_t channels : {1, 3, 8, 40, 264}) {
    Numbers numbers(static_cast<uint32_t>(channels));
    const RoiCase c(random_regions(numbers, 10, 13 * 16, 9 * 16), {5, 3}, 5);
    for (bool with_argmax : {false, true})
      for (const RoiCase& regions : {c, c.numbered()})
        expect_same_as_cpu<TypeParam>({2, 9, 13, channels}, regions, one_level(3, 2, 1 / 16.0f), with_argmax);
  }
}

TYPED_TEST(RoiPoolTest, TakesUnalignedMaps) {
  Numbers numbers(1);
  const RoiCase c(random_regions(numbers, 4, 7, 5), {4}, 4);
  for (bool with_argmax : {false, true})
    expect_same_as_cpu<TypeParam>({1, 5, 7, 16}, c, one_level(2, 2, 1), with_argmax, kUnaligned);
}

TYPED_TEST(RoiPoolTest, OfAPyramidTakesEachRegionFromItsLevel) {
  const RoiPool params = {2, 1, {.scales = {1 / 32.0f, 1 / 64.0f, 1 / 128.0f}, .count = 3}};
  Numbers numbers(1);
  const RoiCase c(random_regions(numbers, 30, 1600, 1200), {30}, 30);
  expect_same_as_cpu<TypeParam>({1, 37, 50, 8}, c, params, true);
}

TEST(RoiPool, TheGradientHasTheBitsOfTheCpu) {
  for (int64_t channels : {1, 64, 70}) {
    Numbers numbers(static_cast<uint32_t>(channels));
    const RoiCase c(random_regions(numbers, 140, 17 * 16, 9 * 16), {70, 33}, 70);
    for (const RoiCase& regions : {c, c.numbered()})
      expect_same_gradient_as_cpu({2, 9, 17, channels}, regions, one_level(3, 2, 1 / 16.0f));
  }
  Numbers numbers(1);
  const RoiCase c(random_regions(numbers, 30, 1600, 1200), {30}, 30);
  expect_same_gradient_as_cpu({1, 37, 50, 4}, c,
                              {2, 1, {.scales = {1 / 32.0f, 1 / 64.0f, 1 / 128.0f}, .count = 3}});
  expect_same_gradient_as_cpu({2, 5, 6, 8}, {{}, {0, 0}, 0}, one_level(2, 2, 1));
}

TEST(RoiPool, OfOddCoordinatesIsThatOfTheCpu) {
  std::vector<float> boxes;
  for (float odd :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -FLT_MAX, 1e9f})
    for (size_t i = 0; i < 4; ++i) {
      float box[4] = {10, 20, 60, 70};
      box[i] = odd;
      boxes.insert(boxes.end(), box, box + 4);
    }
  const auto count = static_cast<int32_t>(boxes.size() / 4);
  expect_same_as_cpu<float>({1, 5, 6, 8}, {boxes, {count}, count}, one_level(2, 2, 1 / 16.0f), true);
}

TEST(RoiPool, OfNoRegionsLaunchesNothing) {
  expect_same_as_cpu<float>({1, 5, 6, 8}, {{}, {0}, 0}, one_level(2, 2, 1), true);
}

TEST(RoiPool, RefusesMoreThanAnIndexHolds) {
  const Nhwc<const float> map = {nullptr, 1, 4, 4, 8}, large = {nullptr, 1, 1 << 16, 1 << 12, 8};
  const Rois many = {nullptr, 6, nullptr, 1 << 12, 1 << 14}, few = {nullptr, 6, nullptr, 1, 1};
  EXPECT_THROW(
      roi_pool<float>({{map}}, many, one_level(7, 7, 1), {nullptr, many.total(), 7, 7, 8}, nullptr, nullptr),
      DeviceError);
  EXPECT_THROW(roi_pool<float>({{large}}, few, one_level(7, 7, 1), {nullptr, 1, 7, 7, 8}, nullptr, nullptr),
               DeviceError);
}

template <class T>
void profile(bool with_argmax) {
  const auto n = static_cast<int32_t>(profile_batch());
  Numbers numbers(1);
  const RoiCase c(random_regions(numbers, 8 * n, 25 * 16, 19 * 16),
                  std::vector<int32_t>(static_cast<size_t>(n), 8), 8);
  expect_same_as_cpu<T>({n, 19, 25, 256}, c, one_level(7, 7, 1 / 16.0f), with_argmax);
}

TEST(Profile, RoiPool) { profile<__half>(false); }
TEST(Profile, RoiPoolWithArgmax) { profile<float>(true); }

TEST(Profile, RoiPoolBackward) {
  const auto n = static_cast<int32_t>(profile_batch());
  Numbers numbers(1);
  const RoiCase c(random_regions(numbers, 8 * n, 25 * 16, 19 * 16),
                  std::vector<int32_t>(static_cast<size_t>(n), 8), 8);
  expect_same_gradient_as_cpu({n, 19, 25, 128}, c, one_level(7, 7, 1 / 16.0f));
}

}  // namespace
}  // namespace tyto::kernels

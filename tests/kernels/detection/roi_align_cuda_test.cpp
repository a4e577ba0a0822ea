#include "kernels/detection/roi_align.h"

#include <gtest/gtest.h>

#include <cfloat>
#include <limits>

#include "kernels/common/device_error.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/detection/roi_pyramid.h"

namespace tyto::kernels {
namespace {

template <class T>
class RoiAlignTest : public testing::Test {};
TYPED_TEST_SUITE(RoiAlignTest, ElementTypes);

// The CPU's bits, rounded to T.
template <class T>
void expect_same_as_cpu(const MapShape& shape, const RoiCase& c, const RoiAlign& params, int64_t offset = 0) {
  const RoiPyramid<T> maps(shape, params.levels, offset);
  const MapShape out = {c.rois().total(), params.height, params.width, shape.channels};
  std::vector<float> want(static_cast<size_t>(out.elements()));
  roi_align_cpu(maps.host(), c.rois(), params, blocks_of(want, out));

  const DeviceRois rois(c);
  NhwcResult<T> features(out, offset);
  roi_align<T>(maps.device(), rois.rois(), params, features.write(), nullptr);
  ASSERT_EQ(bits(features.download()), bits(floats(rounded<T>(want))));
}

void expect_same_gradient_as_cpu(const MapShape& shape, const RoiCase& c, const RoiAlign& params) {
  const NhwcBatch<float> gradient({c.rois().total(), params.height, params.width, shape.channels}, 9);
  RoiGradients gradients(shape, params.levels);
  roi_align_backward_cpu(gradient.blocks(), c.rois(), params, gradients.host());

  const DeviceRois rois(c);
  roi_align_backward(gradient.read(), rois.rois(), params, gradients.device(), nullptr);
  gradients.expect_equal();
}

RoiAlign one_level(int height, int width, float scale, int ratio = 2, bool aligned = false) {
  return {height, width, ratio, aligned, {.scales = {scale}, .count = 1}};
}

TYPED_TEST(RoiAlignTest, HasTheBitsOfTheCpu) {
  for (int64_t channels : {1, 3, 8, 40, 264}) {
    Numbers numbers(static_cast<uint32_t>(channels));
    const RoiCase c(random_regions(numbers, 10, 13 * 16, 9 * 16), {5, 3}, 5);
    for (const RoiCase& regions : {c, c.numbered()})
      expect_same_as_cpu<TypeParam>({2, 9, 13, channels}, regions, one_level(3, 2, 1 / 16.0f));
  }
}

TYPED_TEST(RoiAlignTest, ForEverySamplingHasTheBitsOfTheCpu) {
  Numbers numbers(1);
  const RoiCase c(random_regions(numbers, 18, 13 * 16, 9 * 16), {18}, 18);
  for (int ratio : {0, 1, 3})
    for (bool aligned : {false, true})
      expect_same_as_cpu<TypeParam>({1, 9, 13, 8}, c, one_level(2, 3, 1 / 16.0f, ratio, aligned));
}

TYPED_TEST(RoiAlignTest, TakesUnalignedMaps) {
  Numbers numbers(1);
  const RoiCase c(random_regions(numbers, 4, 7, 5), {4}, 4);
  expect_same_as_cpu<TypeParam>({1, 5, 7, 16}, c, one_level(2, 2, 1), kUnaligned);
}

TYPED_TEST(RoiAlignTest, OfAPyramidTakesEachRegionFromItsLevel) {
  RoiAlign params = one_level(2, 1, 1);
  params.levels = {.scales = {1 / 32.0f, 1 / 64.0f, 1 / 128.0f}, .count = 3};
  Numbers numbers(1);
  const RoiCase c(random_regions(numbers, 30, 1600, 1200), {30}, 30);
  expect_same_as_cpu<TypeParam>({1, 37, 50, 8}, c, params);
}

TEST(RoiAlign, TheGradientHasTheBitsOfTheCpu) {
  for (int64_t channels : {1, 64, 70}) {
    Numbers numbers(static_cast<uint32_t>(channels));
    const RoiCase c(random_regions(numbers, 140, 17 * 16, 9 * 16), {70, 33}, 70);
    for (const RoiCase& regions : {c, c.numbered()})
      expect_same_gradient_as_cpu({2, 9, 17, channels}, regions, one_level(3, 2, 1 / 16.0f));
  }
  Numbers numbers(1);
  const RoiCase c(random_regions(numbers, 30, 17 * 16, 9 * 16), {30}, 30);
  for (bool aligned : {false, true})
    expect_same_gradient_as_cpu({1, 9, 17, 4}, c, one_level(2, 3, 1 / 16.0f, 0, aligned));
  const RoiCase far(random_regions(numbers, 30, 1600, 1200), {30}, 30);
  RoiAlign params = one_level(2, 1, 1);
  params.levels = {.scales = {1 / 32.0f, 1 / 64.0f, 1 / 128.0f}, .count = 3};
  expect_same_gradient_as_cpu({1, 37, 50, 4}, far, params);
}

TEST(RoiAlign, OfOddCoordinatesIsThatOfTheCpu) {
  std::vector<float> boxes;
  for (float odd :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -FLT_MAX, 1e9f})
    for (size_t i = 0; i < 4; ++i) {
      float box[4] = {10, 20, 60, 70};
      box[i] = odd;
      boxes.insert(boxes.end(), box, box + 4);
    }
  const auto count = static_cast<int32_t>(boxes.size() / 4);
  expect_same_as_cpu<float>({1, 5, 6, 4}, {boxes, {count}, count}, one_level(1, 1, 1 / 16.0f, 2));
}

TEST(RoiAlign, OfNoRegionsLaunchesNothing) {
  expect_same_as_cpu<float>({1, 5, 6, 8}, {{}, {0}, 0}, one_level(2, 2, 1));
}

TEST(RoiAlign, RefusesMoreThanAnIndexHolds) {
  const Nhwc<const float> map = {nullptr, 1, 4, 4, 8};
  const Rois many = {nullptr, 6, nullptr, 1 << 12, 1 << 14};
  EXPECT_THROW(roi_align<float>({{map}}, many, one_level(7, 7, 1), {nullptr, many.total(), 7, 7, 8}, nullptr),
               DeviceError);
}

TEST(Profile, RoiAlign) {
  const auto n = static_cast<int32_t>(profile_batch());
  Numbers numbers(1);
  const RoiCase c(random_regions(numbers, 8 * n, 25 * 16, 19 * 16),
                  std::vector<int32_t>(static_cast<size_t>(n), 8), 8);
  expect_same_as_cpu<__half>({n, 19, 25, 256}, c, one_level(7, 7, 1 / 16.0f));
}

TEST(Profile, RoiAlignBackward) {
  const auto n = static_cast<int32_t>(profile_batch());
  Numbers numbers(1);
  const RoiCase c(random_regions(numbers, 8 * n, 25 * 16, 19 * 16),
                  std::vector<int32_t>(static_cast<size_t>(n), 8), 8);
  expect_same_gradient_as_cpu({n, 19, 25, 128}, c, one_level(7, 7, 1 / 16.0f));
}

}  // namespace
}  // namespace tyto::kernels

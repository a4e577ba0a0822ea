#include <gtest/gtest.h>

#include <vector>

#include "kernels/common/device_error.h"
#include "kernels/cuda/nhwc_batch.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/image/upsample.h"

namespace tyto::kernels {
namespace {

template <class T>
class UpsampleTest : public ::testing::Test {};
TYPED_TEST_SUITE(UpsampleTest, ElementTypes);

constexpr Upsampling kModes[] = {Upsampling::Nearest, Upsampling::Bilinear, Upsampling::BilinearCorners};

template <class T>
void expect_the_bits_of_the_cpu(const MapShape& shape, Upsampling mode, int64_t height, int64_t width,
                                int64_t x_offset = 0, int64_t y_offset = 0) {
  const MapShape out = {shape.n, height, width, shape.channels};
  const UpsampleSteps steps = {upsample_step(mode, shape.height, height),
                               upsample_step(mode, shape.width, width)};
  const NhwcBatch<T> x(shape, 1, x_offset);
  NhwcResult<T> y(out, y_offset);
  upsample<T>(x.read(), mode, steps, y.write(), nullptr);
  std::vector<float> expected(static_cast<size_t>(out.elements()));
  upsample_cpu(x.blocks(), mode, steps, blocks_of(expected, out));
  ASSERT_EQ(bits(y.download()), bits(floats(rounded<T>(expected))));
}

TYPED_TEST(UpsampleTest, HasTheBitsOfTheCpuForEverySizeAndMode) {
  for (const MapShape& shape : awkward_shapes())
    for (Upsampling mode : kModes) {
      expect_the_bits_of_the_cpu<TypeParam>(shape, mode, 2 * shape.height, 2 * shape.width);
      expect_the_bits_of_the_cpu<TypeParam>(shape, mode, 1, 3);
      expect_the_bits_of_the_cpu<TypeParam>(shape, mode, 7, 5);
    }
}

TYPED_TEST(UpsampleTest, EveryPlaceOfABlockIsServed) {
  for (const MapShape& shape : kManyImages)
    expect_the_bits_of_the_cpu<TypeParam>(shape, Upsampling::Bilinear, shape.height, shape.width);
}

TYPED_TEST(UpsampleTest, TakesUnalignedMaps) {
  expect_the_bits_of_the_cpu<TypeParam>({1, 3, 2, 16}, Upsampling::Bilinear, 5, 4, kUnaligned, 0);
  expect_the_bits_of_the_cpu<TypeParam>({1, 3, 2, 16}, Upsampling::Bilinear, 5, 4, 0, kUnaligned);
}

TEST(Upsample, RefusesMoreThanAnIndexHolds) {
  EXPECT_THROW(upsample<float>({}, Upsampling::Nearest, {}, {nullptr, 1, 1 << 16, 1 << 15, 1}, nullptr),
               DeviceError);
}

TEST(Profile, UpsampleNearest) {
  expect_the_bits_of_the_cpu<__half>({profile_batch(), 14, 14, 128}, Upsampling::Nearest, 28, 28);
}
TEST(Profile, UpsampleBilinear) {
  expect_the_bits_of_the_cpu<__half>({profile_batch(), 14, 14, 128}, Upsampling::Bilinear, 28, 28);
}

}  // namespace
}  // namespace tyto::kernels

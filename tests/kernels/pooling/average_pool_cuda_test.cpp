#include <gtest/gtest.h>

#include <vector>

#include "kernels/common/device_error.h"
#include "kernels/cuda/nhwc_batch.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/pooling/average_pool.h"

namespace tyto::kernels {
namespace {

template <class T>
class AveragePoolTest : public ::testing::Test {};
TYPED_TEST_SUITE(AveragePoolTest, ElementTypes);

template <class T>
void expect_the_bits_of_the_cpu(const MapShape& shape, const AveragePoolWindow& window, int64_t height,
                                int64_t width, int64_t x_offset = 0, int64_t y_offset = 0) {
  const MapShape out = {shape.n, height, width, shape.channels};
  const NhwcBatch<T> x(shape, 1, x_offset);
  NhwcResult<T> y(out, y_offset);
  average_pool<T>(x.read(), window, y.write(), nullptr);
  std::vector<float> expected(static_cast<size_t>(out.elements()));
  average_pool_cpu(x.blocks(), window, blocks_of(expected, out));
  ASSERT_EQ(bits(y.download()), bits(floats(rounded<T>(expected))));
}

// Windows that overlap, leave gaps, begin and end outside, lie outside.
TYPED_TEST(AveragePoolTest, HasTheBitsOfTheCpuForEveryWindow) {
  for (const MapShape& shape : awkward_shapes())
    for (const AveragePoolWindow& w :
         {AveragePoolWindow{}, AveragePoolWindow{3, 3, 1, 1, 1, 1, true},
          AveragePoolWindow{3, 2, 2, 3, 1, 0, false}, AveragePoolWindow{4, 5, 3, 2, 2, 2, true, 7}})
      expect_the_bits_of_the_cpu<TypeParam>(shape, w, shape.height / w.stride_height + 1,
                                            shape.width / w.stride_width + 1);
}

TYPED_TEST(AveragePoolTest, EveryPlaceOfABlockIsServed) {
  for (const MapShape& shape : kManyImages)
    expect_the_bits_of_the_cpu<TypeParam>(shape, {3, 3, 1, 1, 1, 1}, shape.height, shape.width);
}

TYPED_TEST(AveragePoolTest, TakesUnalignedMaps) {
  expect_the_bits_of_the_cpu<TypeParam>({1, 4, 6, 16}, {}, 2, 3, kUnaligned, 0);
  expect_the_bits_of_the_cpu<TypeParam>({1, 4, 6, 16}, {}, 2, 3, 0, kUnaligned);
}

TEST(AveragePool, RefusesMoreThanAnIndexHolds) {
  EXPECT_THROW(average_pool<float>({nullptr, 1, 1 << 16, 1 << 15, 1}, {}, {}, nullptr), DeviceError);
}

TEST(Profile, AveragePool) {
  expect_the_bits_of_the_cpu<__half>({profile_batch(), 28, 28, 128}, {3, 3, 2, 2, 1, 1}, 14, 14);
}

}  // namespace
}  // namespace tyto::kernels

#include <gtest/gtest.h>

#include "kernels/common/device_error.h"
#include "kernels/cuda/nhwc_batch.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/layout/convert.h"
#include "kernels/layout/nchw_to_nhwc.h"
#include "kernels/layout/nhwc_to_nchw.h"
#include "kernels/layout/pad.h"

namespace tyto::kernels {
namespace {

template <class T>
class LayoutTest : public ::testing::Test {};
TYPED_TEST_SUITE(LayoutTest, ElementTypes);

// Tiles of 32 by 32, one more and one less, in both directions.
std::vector<MapShape> tiled_maps() {
  std::vector<MapShape> maps = awkward_shapes();
  for (int64_t area : {31, 33, 64})
    for (int64_t channels : {31, 32, 65}) maps.push_back({2, 1, area, channels});
  return maps;
}

template <class From, class T>
void compare_channels_last(const MapShape& shape, int64_t padding, int64_t offset = 0) {
  const int64_t channels = shape.channels, area = shape.height * shape.width;
  const MapShape out = {shape.n, shape.height, shape.width, channels + padding};
  const std::vector<From> planes = rounded<From>(random_floats(shape.elements(), 1));
  const DeviceArray<From> in(planes);
  NhwcResult<T> y(out, offset);
  nchw_to_nhwc<From, T>(in.data(), channels, y.write(), nullptr);
  const std::vector<float> got = y.download(), expected = floats(rounded<T>(floats(planes)));
  size_t at = 0;
  for_each_element(out, [&](int64_t i, int64_t r, int64_t s, int64_t c) {
    const int64_t from = (i * channels + c) * area + r * shape.width + s;
    ASSERT_EQ(got[at++], c < channels ? expected[static_cast<size_t>(from)] : 0.0f);
  });
}

TYPED_TEST(LayoutTest, ChannelsLastMovesPlanesAndPadsWithZeros) {
  for (const MapShape& shape : tiled_maps())
    for (int64_t padding : {0, 1, 5}) compare_channels_last<float, TypeParam>(shape, padding);
  compare_channels_last<TypeParam, TypeParam>({2, 1, 33, 65}, 0);
  compare_channels_last<TypeParam, TypeParam>({2, 13, 23, 3}, 1);
}

TYPED_TEST(LayoutTest, AnImageOfThreePlanesGetsAFourth) {
  for (int64_t channels : {1, 3, 4})
    compare_channels_last<float, TypeParam>({2, 13, 23, channels}, 4 - channels);
  compare_channels_last<float, TypeParam>({2, 5, 3, 3}, 1, kUnaligned);
}

template <class T>
void compare_channel_planes(const MapShape& shape) {
  const NhwcBatch<T> x(shape);
  DeviceArray<T> planes(shape.elements());
  nhwc_to_nchw<T>(x.read(), planes.data(), nullptr);
  const std::vector<float> got = floats(planes.download());
  for_each_element(shape, [&](int64_t i, int64_t r, int64_t s, int64_t c) {
    const int64_t at = ((i * shape.channels + c) * shape.height + r) * shape.width + s;
    ASSERT_EQ(got[static_cast<size_t>(at)], x.at(i, r, s, c));
  });
}

TYPED_TEST(LayoutTest, ChannelPlanesMovesPixelsToPlanes) {
  for (const MapShape& shape : tiled_maps()) compare_channel_planes<TypeParam>(shape);
}

template <class From, class To>
void compare_convert(int64_t count, int64_t skip) {
  const std::vector<From> from = rounded<From>(random_floats(count + skip, 1));
  const DeviceArray<From> in(from);
  DeviceArray<To> out(count);
  convert<From, To>(in.data() + skip, count, out.data(), nullptr);
  ASSERT_EQ(floats(out.download()), drop_first(floats(rounded<To>(floats(from))), skip))
      << count << " from " << skip;
}

TYPED_TEST(LayoutTest, ConvertRoundsEveryElementAlignedOrNot) {
  for (int64_t count : {0, 1, 3, 4, 1021, 1024, 1025})
    for (int64_t skip : {0, 1}) {
      compare_convert<float, TypeParam>(count, skip);
      compare_convert<TypeParam, float>(count, skip);
      compare_convert<TypeParam, TypeParam>(count, skip);
    }
}

TEST(Layout, ConvertBeyondFp16IsInfinite) {
  const DeviceArray<float> in(std::vector<float>{65504, 65536, -1e9f, 65519});
  DeviceArray<__half> out(4);
  convert<float, __half>(in.data(), 4, out.data(), nullptr);
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(floats(out.download()), (std::vector<float>{65504, infinity, -infinity, 65504}));
}

struct Sides {
  int64_t top, left, bottom, right;
};

template <class T>
void compare_pad(const MapShape& shape, const Sides& sides, PadMode mode, int64_t offset = 0) {
  const MapShape out = {shape.n, shape.height + sides.top + sides.bottom,
                        shape.width + sides.left + sides.right, shape.channels};
  const NhwcBatch<T> x(shape);
  NhwcResult<T> y(out, offset);
  pad<T>(x.read(), {sides.top, sides.left, mode}, y.write(), nullptr);
  std::vector<float> expected(static_cast<size_t>(out.elements()));
  pad_cpu(x.blocks(), {sides.top, sides.left, mode}, blocks_of(expected, out));
  ASSERT_EQ(y.download(), expected);
}

TYPED_TEST(LayoutTest, PadShiftsAndFillsAsTheCpu) {
  for (const MapShape& shape : awkward_shapes())
    for (const Sides& sides : {Sides{0, 0, 1, 1}, Sides{2, 1, 0, 3}, Sides{0, 0, 0, 0}, Sides{-1, 0, 2, 0}}) {
      compare_pad<TypeParam>(shape, sides, PadMode::Zeros);
      compare_pad<TypeParam>(shape, sides, PadMode::Replicate);
    }
  for (const MapShape& shape : {MapShape{2, 5, 7, 3}, MapShape{1, 4, 4, 8}, MapShape{2, 6, 5, 40}})
    for (const Sides& sides : {Sides{3, 3, 3, 3}, Sides{1, 0, 0, 2}, Sides{-1, -2, 1, 1}})
      compare_pad<TypeParam>(shape, sides, PadMode::Reflect);
  compare_pad<TypeParam>({1, 2, 3, 16}, {1, 1, 0, 0}, PadMode::Zeros, kUnaligned);
}

TEST(Layout, PadRefusesAReflectionOfMoreThanTheMap) {
  EXPECT_THROW(pad<float>({nullptr, 1, 3, 3, 1}, {3, 0, PadMode::Reflect}, {nullptr, 1, 6, 3, 1}, nullptr),
               std::invalid_argument);
  EXPECT_THROW(pad<float>({nullptr, 1, 3, 3, 1}, {0, 0, PadMode::Reflect}, {nullptr, 1, 3, 6, 1}, nullptr),
               std::invalid_argument);
}

TEST(Layout, RefusesMoreThanAnIndexHolds) {
  EXPECT_THROW((nchw_to_nhwc<float, float>(nullptr, 1, {nullptr, 1, 1 << 16, 1 << 15, 1}, nullptr)),
               DeviceError);
  EXPECT_THROW((nhwc_to_nchw<float>({nullptr, 1, 1 << 16, 1 << 15, 1}, nullptr, nullptr)), DeviceError);
  EXPECT_THROW(pad<float>({}, {}, {nullptr, 1, 1 << 16, 1 << 15, 1}, nullptr), DeviceError);
}

TEST(Profile, ChannelsLastOfAnImage) {
  compare_channels_last<float, __half>({profile_batch(), 128, 128, 3}, 1);
}
TEST(Profile, ChannelsLast) { compare_channels_last<float, __half>({profile_batch(), 32, 32, 64}, 0); }
TEST(Profile, ChannelPlanes) { compare_channel_planes<__half>({profile_batch(), 32, 32, 64}); }
TEST(Profile, Convert) { compare_convert<float, __half>(profile_batch() << 16, 0); }
TEST(Profile, Pad) { compare_pad<__half>({profile_batch(), 32, 32, 64}, {0, 0, 1, 1}, PadMode::Zeros); }

}  // namespace
}  // namespace tyto::kernels

#include "kernels/bev/homography_warp_cases.h"
#include "kernels/common/device_error.h"
#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"

namespace tyto::kernels::warping {
namespace {

struct OnDevice {
  int64_t x_offset = 0, y_offset = 0;  // elements past an aligned address

  template <class T>
  std::vector<double> warp(const Case& c, const HomographyWarp& rule) const {
    const Shape& s = c.shape;
    std::vector<double> shifted(static_cast<size_t>(x_offset));
    shifted.insert(shifted.end(), c.x.begin(), c.x.end());
    const DeviceArray<Stored<T>> x(stored<T>(shifted));
    const DeviceArray<Computed<T>> homographies(sampling::computed_values<T>(c.homographies));
    DeviceArray<Stored<T>> y(s.outputs() + y_offset);
    homography_warp<T>(
        {reinterpret_cast<const T*>(x.data() + x_offset), s.n, s.height, s.width, s.channels},
        homographies.data(), c.count, rule,
        {reinterpret_cast<T*>(y.data() + y_offset), s.n, s.out_height, s.out_width, s.channels}, nullptr);
    const std::vector<double> all = doubles<T>(y.download());
    return {all.begin() + y_offset, all.end()};
  }
};

template <class T>
class HomographyWarpTest : public ::testing::Test {};
using Types = ::testing::Types<double, float, Half, BFloat16>;
TYPED_TEST_SUITE(HomographyWarpTest, Types);

template <class T>
void has_the_bits_of_the_cpu(const Shape& shape, const HomographyWarp& rule) {
  const Case c = random_case(shape, rule.coordinates, shape.n > 1 ? 2 : 1);
  ASSERT_EQ(OnDevice{}.warp<T>(c, rule), OnCpu{}.warp<T>(c, rule));
}

TYPED_TEST(HomographyWarpTest, HasTheBitsOfTheCpuByEveryRule) {
  for (const HomographyWarp& rule : all_rules()) has_the_bits_of_the_cpu<TypeParam>({2, 8, 5, 7, 3, 4}, rule);
}

TYPED_TEST(HomographyWarpTest, HasTheBitsOfTheCpuForEverySize) {
  for (const Shape& shape : sampling::awkward_shapes()) has_the_bits_of_the_cpu<TypeParam>(shape, {});
}

TYPED_TEST(HomographyWarpTest, TakesUnalignedImages) {
  const Case c = random_case({1, 16, 2, 3, 2, 2}, WarpCoordinates::Edges, 1);
  const HomographyWarp rule = {.coordinates = WarpCoordinates::Edges};
  const std::vector<double> want = OnCpu{}.warp<TypeParam>(c, rule);
  EXPECT_EQ((OnDevice{1, 0}.warp<TypeParam>(c, rule)), want);
  EXPECT_EQ((OnDevice{0, 1}.warp<TypeParam>(c, rule)), want);
}

TEST(HomographyWarp, ARigsHomographiesServeAllSamples) { a_rigs_homographies_serve_all_samples(OnDevice{}); }

TEST(HomographyWarp, WhatLiesBehindIsHiddenOnRequest) { what_lies_behind_is_hidden_on_request(OnDevice{}); }

TEST(HomographyWarp, RefusesMoreThanAnIndexHolds) {
  EXPECT_THROW(homography_warp<float>({}, nullptr, 1, {}, {nullptr, 1, 1 << 16, 1 << 15, 1}, nullptr),
               DeviceError);
  EXPECT_THROW(homography_warp<float>({}, nullptr, int64_t{1} << 31, {}, {nullptr, 1, 1, 1, 1}, nullptr),
               DeviceError);
}

// A map turned and moved: neighbours read neighbours.
TEST(Profile, HomographyWarp) {
  Case c = {{profile_batch(), 64, 32, 32, 32, 32}, {}, {0.99, -0.1, 1.6, 0.1, 0.99, -1.3, 0, 0, 1}, 1};
  c.x = sampling::normal_values(c.shape.inputs(), 5);
  EXPECT_EQ(OnDevice{}.warp<Half>(c, {}), OnCpu{}.warp<Half>(c, {}));
}

}  // namespace
}  // namespace tyto::kernels::warping

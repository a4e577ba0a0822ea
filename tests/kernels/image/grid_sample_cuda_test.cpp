#include "kernels/common/device_error.h"
#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/image/grid_sample_cases.h"

namespace tyto::kernels::sampling {
namespace {

struct OnDevice {
  int64_t x_offset = 0, y_offset = 0;  // elements past an aligned address

  template <class T>
  std::vector<double> sample(const Case& c, const GridSample& how) const {
    const Shape& s = c.shape;
    std::vector<double> shifted(static_cast<size_t>(x_offset));
    shifted.insert(shifted.end(), c.x.begin(), c.x.end());
    const DeviceArray<Stored<T>> x(stored<T>(shifted));
    const DeviceArray<Computed<T>> grid(computed_values<T>(c.grid));
    DeviceArray<Stored<T>> y(s.outputs() + y_offset);
    grid_sample<T>({reinterpret_cast<const T*>(x.data() + x_offset), s.n, s.height, s.width, s.channels},
                   grid.data(), how,
                   {reinterpret_cast<T*>(y.data() + y_offset), s.n, s.out_height, s.out_width, s.channels},
                   nullptr);
    const std::vector<double> all = doubles<T>(y.download());
    return {all.begin() + y_offset, all.end()};
  }
};

template <class T>
class GridSampleTest : public ::testing::Test {};
using Types = ::testing::Types<double, float, Half, BFloat16>;
TYPED_TEST_SUITE(GridSampleTest, Types);

template <class T>
void has_the_bits_of_the_cpu(const Shape& shape, const GridSample& how) {
  const Case c = random_case(shape);
  ASSERT_EQ(OnDevice{}.sample<T>(c, how), OnCpu{}.sample<T>(c, how));
}

TYPED_TEST(GridSampleTest, HasTheBitsOfTheCpuByEveryRule) {
  for (const GridSample& how : all_rules()) has_the_bits_of_the_cpu<TypeParam>({2, 8, 5, 7, 3, 4}, how);
}

TYPED_TEST(GridSampleTest, HasTheBitsOfTheCpuForEverySize) {
  for (const Shape& shape : awkward_shapes()) has_the_bits_of_the_cpu<TypeParam>(shape, {});
}

TYPED_TEST(GridSampleTest, TakesUnalignedMaps) {
  const Case c = random_case({1, 16, 2, 3, 2, 2});
  const std::vector<double> want = OnCpu{}.sample<TypeParam>(c, {});
  EXPECT_EQ((OnDevice{1, 0}.sample<TypeParam>(c, {})), want);
  EXPECT_EQ((OnDevice{0, 1}.sample<TypeParam>(c, {})), want);
}

TEST(GridSample, KnowsWhatIsNotFinite) { knows_what_is_not_finite(OnDevice{}); }

TEST(GridSample, RefusesMoreThanAnIndexHolds) {
  EXPECT_THROW(grid_sample<float>({}, nullptr, {}, {nullptr, 1, 1 << 16, 1 << 15, 1}, nullptr), DeviceError);
  EXPECT_THROW(grid_sample<float>({nullptr, 1, 1 << 16, 1 << 15, 1}, nullptr, {}, {}, nullptr), DeviceError);
}

// A map enlarged a little and moved, as a map of the past is into the present: neighbours read neighbours.
template <class T>
void moves_a_map(const GridSample& how) {
  Case c = random_case({profile_batch(), 64, 32, 32, 32, 32});
  for (int64_t place = 0; place < c.shape.places(); ++place) {
    c.grid[static_cast<size_t>(2 * place)] = static_cast<double>(place % 32) / 17 - 0.93;
    c.grid[static_cast<size_t>(2 * place + 1)] = static_cast<double>(place / 32 % 32) / 17 - 0.95;
  }
  EXPECT_EQ(OnDevice{}.sample<T>(c, how), OnCpu{}.sample<T>(c, how));
}
TEST(Profile, GridSampleBilinear) { moves_a_map<Half>({}); }
TEST(Profile, GridSampleNearest) { moves_a_map<float>({.interpolation = Interpolation::Nearest}); }

}  // namespace
}  // namespace tyto::kernels::sampling

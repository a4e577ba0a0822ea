#include "kernels/bev/projection_gather_cases.h"
#include "kernels/common/device_error.h"
#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"

namespace tyto::kernels::gathering {
namespace {

template <class M>
struct OnDevice {
  int64_t offset = 0;  // elements that maps and rows lie past an aligned address
  bool reports_seen = true;

  template <class T>
  Result gather(const Case& c) const {
    using C = Computed<T>;
    const auto matrices = [](const std::vector<double>& v) { return std::vector<M>(v.begin(), v.end()); };
    const DeviceArray<M> k(matrices(c.intrinsics)), pose(matrices(c.camera_to_grid)),
        a(matrices(c.augmentation));
    std::vector<double> shifted(static_cast<size_t>(offset));
    shifted.insert(shifted.end(), c.maps.begin(), c.maps.end());
    const DeviceArray<Stored<T>> maps(stored<T>(shifted)), weights(stored<T>(c.weights));
    const DeviceArray<C> places(std::vector<C>(c.places.begin(), c.places.end()));
    const int64_t rows = c.samples * c.points;
    DeviceArray<Stored<T>> out(
        stored<T>(std::vector<double>(static_cast<size_t>(rows * c.row_stride() + offset), kUntouched)));
    DeviceArray<uint64_t> seen(reports_seen ? rows : 0);
    DeviceArray<char> workspace(projection_gather_workspace<T>(c.samples, c.cameras));
    projection_gather<T, M>({k.data(), pose.data(), a.data(), c.samples, c.cameras},
                            {reinterpret_cast<const T*>(maps.data() + offset), c.pixel_stride(), c.samples,
                             c.cameras, c.height, c.width, c.channels},
                            {places.data(), c.points, c.shared}, reinterpret_cast<const T*>(weights.data()),
                            c.rule, {reinterpret_cast<T*>(out.data() + offset), c.row_stride(), seen.data()},
                            workspace.data(), nullptr);
    const std::vector<double> all = doubles<T>(out.download());
    return {{all.begin() + offset, all.end()}, seen.download()};
  }
};

// What the CPU gives, to the bit.
struct OnBoth {
  template <class T>
  Result gather(const Case& c) const {
    const Result cpu = OnCpu<float>{}.gather<T>(c), device = OnDevice<float>{}.gather<T>(c);
    EXPECT_EQ(device.rows, cpu.rows);
    EXPECT_EQ(device.seen, cpu.seen);
    return device;
  }
};

template <class T>
class ProjectionGatherTest : public ::testing::Test {};
using Types = ::testing::Types<double, float, Half, BFloat16>;
TYPED_TEST_SUITE(ProjectionGatherTest, Types);

TYPED_TEST(ProjectionGatherTest, EqualsTheReferenceAndTheCpu) { equals_the_reference<TypeParam>(OnBoth{}); }

TYPED_TEST(ProjectionGatherTest, TakesEveryShape) { takes_every_shape<TypeParam>(OnBoth{}); }

TYPED_TEST(ProjectionGatherTest, TakesMatricesOfDoubles) {
  Case c = random_case(1, 2, 16, 3);
  c.rule = m2bev();
  const Result want = OnCpu<double>{}.gather<TypeParam>(c);
  EXPECT_EQ(OnDevice<double>{}.gather<TypeParam>(c).rows, want.rows);
  EXPECT_EQ((OnDevice<double>{.offset = 1, .reports_seen = false}.gather<TypeParam>(c).rows), want.rows);
}

TEST(ProjectionGather, BoundsAreWhatTheySay) { bounds_are_what_they_say(OnDevice<double>{}); }

TEST(ProjectionGather, HalvesGoToTheEvenCellOrAway) {
  halves_go_to_the_even_cell_or_away(OnDevice<double>{});
}

TEST(ProjectionGather, SeesNothingThatIsBehindOrNowhere) {
  sees_nothing_that_is_behind_or_nowhere(OnDevice<double>{});
}

TEST(ProjectionGather, RefusesMoreThanItCanIndex) {
  const auto gather = [](int64_t cameras, int64_t height, int64_t points) {
    projection_gather<float, float>({nullptr, nullptr, nullptr, 1, cameras},
                                    {nullptr, 4, 1, cameras, height, 1, 4}, {nullptr, points}, nullptr, {},
                                    {nullptr, 4, nullptr}, nullptr, nullptr);
  };
  EXPECT_THROW(gather(65, 1, 1), DeviceError);
  EXPECT_THROW(gather(2, 1 << 28, 1), DeviceError);
  EXPECT_THROW(gather(1, 1, 1 << 29), DeviceError);
}

// Fast-BEV's grid in front of one rig, at a fraction of its size: neighbours along a row read the same cells
// or those beside them.
template <class T>
void lifts_a_grid(const ProjectionGather& rule) {
  Case c = random_case(profile_batch(), 6, 64, 0);
  for (int i = 0; i < 32; ++i)
    for (int j = 0; j < 32; ++j) c.places.insert(c.places.end(), {i * 0.5 - 7.75, j * 0.5 - 7.75, 0.25});
  c.points = 1024;
  c.rule = rule;
  equals_the_reference<T>(OnBoth{}, c);
}
TEST(Profile, ProjectionGatherNearest) { lifts_a_grid<Half>(fast_bev()); }
TEST(Profile, ProjectionGatherBilinear) { lifts_a_grid<float>(vector_map_net()); }

}  // namespace
}  // namespace tyto::kernels::gathering

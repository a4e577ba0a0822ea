#include "kernels/bev/projection_gather_cases.h"

namespace tyto::kernels::gathering {
namespace {

template <class M>
struct OnCpu {
  template <class T>
  Result gather(const Case& c) const {
    using C = Computed<T>;
    const auto matrices = [](const std::vector<double>& v) { return std::vector<M>(v.begin(), v.end()); };
    const std::vector<M> k = matrices(c.intrinsics), pose = matrices(c.camera_to_grid),
                         a = matrices(c.augmentation);
    const std::vector<Stored<T>> maps = stored<T>(c.maps), weights = stored<T>(c.weights);
    const std::vector<C> places(c.places.begin(), c.places.end());
    const int64_t rows = c.samples * c.points;
    std::vector<Stored<T>> out =
        stored<T>(std::vector<double>(static_cast<size_t>(rows * c.row_stride()), kUntouched));
    std::vector<uint64_t> seen(static_cast<size_t>(rows));
    std::vector<char> workspace(
        static_cast<size_t>(projection_gather_cpu_workspace<T>(c.samples, c.cameras)));
    projection_gather_cpu<T, M>({k.data(), pose.data(), a.empty() ? nullptr : a.data(), c.samples, c.cameras},
                                {reinterpret_cast<const T*>(maps.data()), c.pixel_stride(), c.samples,
                                 c.cameras, c.height, c.width, c.channels},
                                {places.data(), c.points, c.shared},
                                weights.empty() ? nullptr : reinterpret_cast<const T*>(weights.data()),
                                c.rule, {reinterpret_cast<T*>(out.data()), c.row_stride(), seen.data()},
                                workspace.data());
    return {doubles<T>(out), seen};
  }
};

TEST(ProjectionGather, EqualsTheReference) {
  equals_the_reference<double>(OnCpu<double>{});
  equals_the_reference<float>(OnCpu<float>{});
  equals_the_reference<Half>(OnCpu<float>{});
  equals_the_reference<BFloat16>(OnCpu<double>{});
}

TEST(ProjectionGather, TakesEveryShape) {
  takes_every_shape<float>(OnCpu<double>{});
  takes_every_shape<Half>(OnCpu<float>{});
}

TEST(ProjectionGather, BoundsAreWhatTheySay) { bounds_are_what_they_say(OnCpu<double>{}); }

TEST(ProjectionGather, HalvesGoToTheEvenCellOrAway) { halves_go_to_the_even_cell_or_away(OnCpu<double>{}); }

TEST(ProjectionGather, SeesNothingThatIsBehindOrNowhere) {
  sees_nothing_that_is_behind_or_nowhere(OnCpu<double>{});
}

TEST(ProjectionGather, TheStraightestCameraWins) { the_straightest_camera_wins(OnCpu<double>{}); }

}  // namespace
}  // namespace tyto::kernels::gathering

#include "kernels/bev/projection_gather_cases.h"

namespace tyto::kernels::gathering {
namespace {

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

}  // namespace
}  // namespace tyto::kernels::gathering

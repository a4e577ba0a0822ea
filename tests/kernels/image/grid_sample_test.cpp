#include "kernels/image/grid_sample_cases.h"

namespace tyto::kernels::sampling {
namespace {

TEST(GridSample, EqualsTheReference) {
  equals_the_reference<double>(OnCpu{});
  equals_the_reference<float>(OnCpu{});
  equals_the_reference<Half>(OnCpu{});
  equals_the_reference<BFloat16>(OnCpu{});
}

TEST(GridSample, EqualsTheReferenceInEveryLayout) {
  for (int64_t block : {1, 8}) equals_the_reference<float>(OnCpu{block});
}

TEST(GridSample, TakesTheEvenOneOfTwoNearest) { takes_the_even_one_of_two_nearest(OnCpu{}); }

TEST(GridSample, KnowsWhatIsNotFinite) { knows_what_is_not_finite(OnCpu{}); }

}  // namespace
}  // namespace tyto::kernels::sampling

#include "kernels/bev/bev_pool_backward_device.h"
#include "kernels/common/device_error.h"

namespace tyto::kernels::bev_gradients {
namespace {

TEST(BevPoolBackward, HasTheGradientsOfBevdet) { has_the_gradients_of_bevdet(OnDevice{}); }
TEST(BevPoolBackward, EqualsTheReferenceOfAnyNumberOfChannels) {
  equals_the_reference_of_any_number_of_channels(OnDevice{});
}
TEST(BevPoolBackward, GoesBackThroughEveryReduction) { goes_back_through_every_reduction(OnDevice{}); }
TEST(BevPoolBackward, TakesEveryLayout) { takes_every_layout(OnDevice{}); }
TEST(BevPoolBackward, TakesFrustumsOfAnySize) { takes_frustums_of_any_size(OnDevice{}); }
TEST(BevPoolBackward, IsTheSlopeOfTheSums) { is_the_slope_of_the_sums(OnDevice{}); }
TEST(BevPoolBackward, IsZeroWhereAllPointsLieOutside) { is_zero_where_all_points_lie_outside(OnDevice{}); }
TEST(BevPoolBackward, SpreadsNanToACellsPixelsAlone) { spreads_nan_to_a_cells_pixels_alone(OnDevice{}); }
TEST(BevPoolBackward, WritesWhatIsWantedAlone) { writes_what_is_wanted_alone(OnDevice{}); }
TEST(BevPoolBackward, ASampleDoesNotDependOnOthers) { a_sample_does_not_depend_on_others(OnDevice{}); }

// Every kernel that there is: of one, two and four channels a lane, in all types.
TEST(BevPoolBackward, TakesTheWinnersOfManyChannelsAtOnce) {
  for (const int64_t channels : {40, 72}) {
    Case c = bev_pooling::random_case(frustum_of(1, 9, 5), grid_of(3, 4, 1), 1, 2, channels);
    for (const BevReduction reduction : {BevReduction::Sum, BevReduction::Max}) {
      c.pool.reduction = reduction;
      agrees_in_all_types(OnDevice{}, c);
    }
  }
}

TEST(BevPoolBackward, SaysWhichBinsAndBlocksItDoesNotTake) {
  const auto said = [](const BevPool& pool, int64_t block) -> std::string {
    try {
      bev_pool_backward<float>({.samples = 1, .cameras = 1, .channels = 8}, {}, pool,
                               {.n = 1, .channels = 8, .height = 1, .width = 1, .block = block}, nullptr, {},
                               nullptr, nullptr);
    } catch (const DeviceError& e) {
      return e.what();
    }
    return {};
  };
  EXPECT_NE(said({.frustum = frustum_of(1, 1, 1001)}, 8).find("1000 bins"), std::string::npos);
  EXPECT_NE(said({.frustum = frustum_of(1, 1, 2)}, 4).find("blocks of 4"), std::string::npos);
}

// As many bins as fit.
TEST(BevPoolBackward, TakesAThousandBins) {
  agrees<double>(OnDevice{},
                 bev_pooling::random_case(frustum_of(1, 1, kMostBackwardBins), grid_of(3, 4, 1), 1, 1, 2));
}

TEST(Profile, BevPoolBackward) { agrees<float>(OnDevice{}, sixteenth_of_b1()); }
TEST(Profile, BevPoolBackwardOfAMean) {
  Case c = sixteenth_of_b1();
  c.pool.reduction = BevReduction::Mean;
  c.bins = DepthBins::First;
  agrees<float>(OnDevice{}, c);
}
TEST(Profile, BevPoolBackwardOfTheLargest) {
  Case c = sixteenth_of_b1();
  c.pool.reduction = BevReduction::Max;
  agrees<float>(OnDevice{}, c);
}

}  // namespace
}  // namespace tyto::kernels::bev_gradients

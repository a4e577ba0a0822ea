#include "kernels/bev/bev_pool_backward_cases.h"
#include "kernels/common/device_error.h"
#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"

namespace tyto::kernels::bev_gradients {
namespace {

struct OnDevice {
  static Frustum small_frustum() { return frustum_of(3, 7, 9); }

  template <class T>
  Gradients of(const Problem& p) const {
    const Case& c = p.c;
    const auto at = [](auto& values, int64_t i) {
      using Element =
          std::conditional_t<std::is_const_v<std::remove_reference_t<decltype(values)>>, const T, T>;
      return reinterpret_cast<Element*>(values.data()) + i;
    };
    const DeviceArray<Stored<T>> depth(stored<T>(c.stored_depth())), features(stored<T>(c.stored_features()));
    const DeviceArray<Stored<T>> gradient(stored<T>(p.stored_gradient(c.block())));
    const auto untouched = [](int64_t size) {
      return stored<T>(std::vector<double>(static_cast<size_t>(size), kUntouched));
    };
    DeviceArray<Stored<T>> depth_gradient(untouched(depth.size())),
        features_gradient(untouched(features.size()));
    const auto index =
        bev_reference::index_of(c.cells, c.pool.frustum, c.pool.grid, c.maps.samples, c.maps.cameras);
    const DeviceArray<int32_t> starts(index.cell_starts), cells(index.cells), winners(p.winners);
    const DeviceArray<BevRun> runs(index.runs);
    DeviceArray<char> workspace(
        bev_pool_backward_workspace<T>(c.pool, c.maps.samples, c.maps.cameras, c.maps.channels));
    const LiftedMaps<const T> maps = c.lifted(at(depth, 0), at(features, c.offset));
    const LiftedMaps<T> gradients = {p.wants_depth ? at(depth_gradient, 0) : nullptr,
                                     maps.bins,
                                     maps.depth_stride,
                                     p.wants_features ? at(features_gradient, c.offset) : nullptr,
                                     maps.feature_stride,
                                     maps.samples,
                                     maps.cameras,
                                     maps.channels};
    bev_pool_backward<T>(maps, {starts.data(), runs.data(), cells.data()}, c.pool,
                         c.blocks<const T>(at(gradient, 0), c.block()),
                         p.winners.empty() ? nullptr : winners.data(), gradients, workspace.data(), nullptr);
    return read(p, doubles<T>(depth_gradient.download()), doubles<T>(features_gradient.download()));
  }
};

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

// B1's maps of one camera, a grid of a sixteenth.
Case sixteenth_of_b1() {
  bev_rig::BevCase b1 = bev_rig::bev_case("B1");
  b1.grid.cells[0] = b1.grid.cells[1] = 50;
  b1.grid.step[0] = b1.grid.step[1] = 2;
  const auto samples = profile_batch();
  Case c = bev_pooling::random_case(b1.frustum, b1.grid, samples, 1, b1.channels);
  std::vector<int32_t> cells = bev_reference::cells_of(b1);
  cells.resize(static_cast<size_t>(b1.frustum.points()));
  for (size_t i = 0; i < c.cells.size(); ++i) c.cells[i] = cells[i % cells.size()];
  return c;
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

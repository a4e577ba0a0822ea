#include <omp.h>

#include "kernels/bev/bev_pool_backward_cases.h"
#include "kernels/bev/bev_pool_backward_rows.h"

namespace tyto::kernels::bev_gradients {
namespace {

struct OnCpu {
  int64_t block = 0;  // of the gradient; 0: as the case says

  static Frustum small_frustum() { return frustum_of(5, 17, 7); }

  template <class T>
  Gradients of(const Problem& p) const {
    const Case& c = p.c;
    const auto at = [](auto& values, int64_t i) {
      using Element =
          std::conditional_t<std::is_const_v<std::remove_reference_t<decltype(values)>>, const T, T>;
      return host_address(reinterpret_cast<Element*>(values.data()), i);
    };
    const auto depth = stored<T>(c.stored_depth()), features = stored<T>(c.stored_features());
    const int64_t of_block = block > 0 ? block : c.block();
    const auto gradient = stored<T>(p.stored_gradient(of_block));
    auto depth_gradient = stored<T>(std::vector<double>(depth.size(), kUntouched));
    auto features_gradient = stored<T>(std::vector<double>(features.size(), kUntouched));
    const auto index =
        bev_reference::index_of(c.cells, c.pool.frustum, c.pool.grid, c.maps.samples, c.maps.cameras);
    std::vector<char> workspace(static_cast<size_t>(bev_pool_backward_cpu_workspace<T>(
                                    c.pool, c.maps.samples, c.maps.cameras, c.maps.channels)),
                                '\xff');  // NaN
    const LiftedMaps<const T> maps = c.lifted(at(depth, 0), at(features, c.offset));
    const LiftedMaps<T> gradients = {p.wants_depth ? at(depth_gradient, 0) : nullptr,
                                     maps.bins,
                                     maps.depth_stride,
                                     p.wants_features ? at(features_gradient, c.offset) : nullptr,
                                     maps.feature_stride,
                                     maps.samples,
                                     maps.cameras,
                                     maps.channels};
    bev_pool_backward_cpu<T>(maps, index.view(), c.pool, c.blocks<const T>(at(gradient, 0), of_block),
                             p.winners.empty() ? nullptr : p.winners.data(), gradients, workspace.data());
    return read(p, doubles<T>(depth_gradient), doubles<T>(features_gradient));
  }
};

TEST(BevPoolBackward, HasTheGradientsOfBevdet) { has_the_gradients_of_bevdet(OnCpu{}); }
TEST(BevPoolBackward, EqualsTheReferenceOfAnyNumberOfChannels) {
  equals_the_reference_of_any_number_of_channels(OnCpu{});
}
TEST(BevPoolBackward, GoesBackThroughEveryReduction) { goes_back_through_every_reduction(OnCpu{}); }
TEST(BevPoolBackward, TakesEveryLayout) { takes_every_layout(OnCpu{}); }
TEST(BevPoolBackward, TakesFrustumsOfAnySize) { takes_frustums_of_any_size(OnCpu{}); }
TEST(BevPoolBackward, IsTheSlopeOfTheSums) { is_the_slope_of_the_sums(OnCpu{}); }
TEST(BevPoolBackward, IsZeroWhereAllPointsLieOutside) { is_zero_where_all_points_lie_outside(OnCpu{}); }
TEST(BevPoolBackward, SpreadsNanToACellsPixelsAlone) { spreads_nan_to_a_cells_pixels_alone(OnCpu{}); }
TEST(BevPoolBackward, WritesWhatIsWantedAlone) { writes_what_is_wanted_alone(OnCpu{}); }
TEST(BevPoolBackward, ASampleDoesNotDependOnOthers) { a_sample_does_not_depend_on_others(OnCpu{}); }

// Also where the last block is not full.
TEST(BevPoolBackward, ReadsTheBlocksOfOneDnn) {
  for (const int64_t block : {8, 16})
    for (const int64_t channels : {16, 20}) agrees_in_all_types(OnCpu{block}, small_case(OnCpu{}, channels));
}

TEST(BevPoolBackward, HasTheSameBitsOnAnyNumberOfThreads) {
  const Problem p = problem_of<float>(small_case(OnCpu{}, 24));
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const Gradients one = OnCpu{}.of<float>(p);
  omp_set_num_threads(3);
  const Gradients three = OnCpu{}.of<float>(p);
  omp_set_num_threads(threads);
  EXPECT_EQ(one.depth, three.depth);
  EXPECT_EQ(one.features, three.features);
}

TEST(BevPoolBackward, OfTheRigEqualsTheReference) {
  const bev_rig::BevCase b1 = bev_rig::bev_case("B1");
  Case c = bev_pooling::random_case(b1.frustum, b1.grid, 1, 6, b1.channels);
  c.cells = bev_reference::cells_of(b1);
  agrees<float>(OnCpu{}, c);
}

// Whole numbers, of which products and sums are exact.
template <class C>
void compare_levels() {
  constexpr int64_t kChannels = 176, kPoints = 12;
  std::mt19937 random(3);
  const auto number = [&] { return static_cast<C>(static_cast<int>(random() % 15) - 7); };
  std::vector<C> memory(kPoints * kChannels), features(kChannels), weights(kPoints);
  for (auto* values : {&memory, &features, &weights})
    for (C& v : *values) v = number();
  std::vector<const C*> rows;
  for (int64_t k = 0; k < kPoints; ++k)
    rows.push_back(&memory[static_cast<size_t>((k * 5 % kPoints) * kChannels)]);
  BevPoolBackwardLevel<C> levels[3];
  const int count = bev_pool_backward_levels(levels);
  ASSERT_GE(count, 1);
  for (int level = 0; level < count; ++level) {
    SCOPED_TRACE(levels[level].name);
    std::vector<C> spread(kChannels, 1), slopes(kPoints, 1), want_spread(kChannels), want_slopes(kPoints);
    for (size_t k = 0; k < kPoints; ++k)
      for (size_t c = 0; c < kChannels; ++c) {
        want_spread[c] += weights[k] * rows[k][c];
        want_slopes[k] += features[c] * rows[k][c];
      }
    levels[level].spread({kPoints, rows.data(), weights.data()}, features.data(), kChannels, spread.data(),
                         slopes.data());
    EXPECT_EQ(spread, want_spread);
    EXPECT_EQ(slopes, want_slopes);
  }
}

TEST(BevPoolBackward, EveryLevelOfInstructionsHasTheSameSums) {
  compare_levels<float>();
  compare_levels<double>();
}

}  // namespace
}  // namespace tyto::kernels::bev_gradients

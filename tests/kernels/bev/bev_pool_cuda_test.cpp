#include <gtest/gtest.h>

#include "kernels/bev/bev_pool_cases.h"
#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"

namespace tyto::kernels::bev_pooling {
namespace {

struct OnDevice {
  template <class T>
  Result of(const Case& c) const {
    using Element = Stored<T>;
    const DeviceArray<Element> depth(stored<T>(c.stored_depth())), features(stored<T>(c.stored_features()));
    const auto index =
        bev_reference::index_of(c.cells, c.pool.frustum, c.pool.grid, c.maps.samples, c.maps.cameras);
    const DeviceArray<int32_t> starts(index.cell_starts);
    const DeviceArray<BevRun> runs(index.runs);
    DeviceArray<char> workspace(
        bev_pool_workspace<T>(c.pool, c.maps.samples, c.maps.cameras, c.maps.channels));
    DeviceArray<Element> out(c.out_elements() + c.offset);
    DeviceArray<int32_t> winners(c.winners ? c.out_elements() : 0);
    ChannelBlocks<T> blocks = c.blocks<T>(nullptr, c.block());
    blocks.data = reinterpret_cast<T*>(out.data() + c.offset);
    bev_pool<T>(c.lifted(reinterpret_cast<const T*>(depth.data()),
                         reinterpret_cast<const T*>(features.data() + c.offset)),
                {.cell_starts = starts.data(), .runs = runs.data()}, c.pool, blocks, winners.data(),
                workspace.data(), nullptr);
    Result result;
    result.winners = winners.download();
    const std::vector<double> got = doubles<T>(out.download());
    for (int64_t i = 0; i < blocks.n; ++i)
      for (int64_t pixel = 0; pixel < blocks.area(); ++pixel)
        for (int64_t channel = 0; channel < blocks.channels; ++channel)
          result.out.push_back(got[static_cast<size_t>(c.offset + i * blocks.image_stride +
                                                       channel / blocks.block * blocks.block_stride +
                                                       pixel * blocks.block + channel % blocks.block)]);
    return result;
  }
};

TEST(BevPoolCuda, HasTheSumsOfBevdet) { has_the_sums_of_bevdet(OnDevice{}); }
TEST(BevPoolCuda, EqualsTheReferenceOfAnyNumberOfChannels) {
  equals_the_reference_of_any_number_of_channels(OnDevice{});
}
TEST(BevPoolCuda, TakesMoreChannelsThanAWarpsPacks) {
  for (const int64_t channels : {132, 260}) checked<float>(OnDevice{}, small_case(channels));
}
TEST(BevPoolCuda, ReducesBySumMeanAndLargest) { reduces_by_sum_mean_and_largest(OnDevice{}); }
TEST(BevPoolCuda, TakesEveryLayout) { takes_every_layout(OnDevice{}); }
TEST(BevPoolCuda, TakesFrustumsOfAnySize) { takes_frustums_of_any_size(OnDevice{}); }
TEST(BevPoolCuda, SumsLongCells) { sums_long_cells(OnDevice{}); }
TEST(BevPoolCuda, IsZeroWhereThereAreNoPoints) { is_zero_where_there_are_no_points(OnDevice{}); }
TEST(BevPoolCuda, SpreadsNanToAPixelsCellsAlone) { spreads_nan_to_a_pixels_cells_alone(OnDevice{}); }
TEST(BevPoolCuda, TheFirstOfEqualsWins) { the_first_of_equals_wins(OnDevice{}); }
TEST(BevPoolCuda, ASampleDoesNotDependOnOthers) { a_sample_does_not_depend_on_others(OnDevice{}); }

TEST(BevPoolCuda, ZeroesWhatAPixelHasBehindItsChannels) {
  const Case c = small_case(6);
  const auto index =
      bev_reference::index_of(c.cells, c.pool.frustum, c.pool.grid, c.maps.samples, c.maps.cameras);
  const DeviceArray<float> depth(stored<float>(c.stored_depth())),
      features(stored<float>(c.stored_features()));
  const DeviceArray<int32_t> starts(index.cell_starts);
  const DeviceArray<BevRun> runs(index.runs);
  DeviceArray<char> workspace(
      bev_pool_workspace<float>(c.pool, c.maps.samples, c.maps.cameras, c.maps.channels));
  DeviceArray<float> out(c.out_pixels() * 8);
  ChannelBlocks<float> blocks = c.blocks<float>(out.data(), 8);
  bev_pool<float>(c.lifted<float>(depth.data(), features.data()),
                  {.cell_starts = starts.data(), .runs = runs.data()}, c.pool, blocks, nullptr,
                  workspace.data(), nullptr);
  const std::vector<float> got = out.download();
  for (size_t pixel = 0; pixel < got.size() / 8; ++pixel) {
    ASSERT_EQ(got[8 * pixel + 6], 0) << pixel;
    ASSERT_EQ(got[8 * pixel + 7], 0) << pixel;
  }
}

// A sixteenth of B1's points.
template <class T>
void profile(BevReduction reduction, DepthBins bins, Layout layout) {
  Case c = random_case(frustum_of(4, 16, 16), grid_of(50, 64, 1), profile_batch(), 3, 64);
  c.pool.reduction = reduction;
  c.bins = bins;
  c.layout = layout;
  OnDevice{}.of<T>(c);
}
TEST(Profile, BevPool) {
  profile<float>(BevReduction::Sum, DepthBins::Last, Layout::ChannelsLast);
  profile<Half>(BevReduction::Sum, DepthBins::First, Layout::ChannelsFirst);
  profile<Half>(BevReduction::Max, DepthBins::Last, Layout::ChannelsLast);
}

}  // namespace
}  // namespace tyto::kernels::bev_pooling

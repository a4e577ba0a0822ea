#include "kernels/bev/bev_pool_cases.h"
#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"

namespace tyto::kernels::bev_pooling {
namespace {

struct OnDevice {
  template <class T>
  Result of(const Case& c) const {
    const auto index =
        bev_reference::index_of(c.cells, c.pool.frustum, c.pool.grid, c.maps.samples, c.maps.cameras);
    const DeviceArray<Stored<T>> depth(stored<T>(c.stored_depth())), features(stored<T>(c.stored_features()));
    const DeviceArray<int32_t> cell_starts(index.cell_starts);
    const DeviceArray<BevRun> runs(index.runs);
    DeviceArray<char> workspace(
        bev_pool_workspace<T>(c.pool, c.maps.samples, c.maps.cameras, c.maps.channels));
    DeviceArray<Stored<T>> out(c.out_elements() + c.offset);
    DeviceArray<int32_t> winners(c.winners ? c.out_elements() : 0);
    bev_pool<T>(c.lifted(reinterpret_cast<const T*>(depth.data()),
                         reinterpret_cast<const T*>(features.data() + c.offset)),
                {cell_starts.data(), runs.data(), nullptr}, c.pool,
                c.blocks(reinterpret_cast<T*>(out.data() + c.offset), c.block()),
                c.winners ? winners.data() : nullptr, workspace.data(), nullptr);
    std::vector<double> got = doubles<T>(out.download());
    got.erase(got.begin(), got.begin() + c.offset);
    if (c.layout == Layout::ChannelsFirst) got = channels_last(c, got);
    return {got, c.winners ? winners.download() : std::vector<int32_t>{}};
  }

  static std::vector<double> channels_last(const Case& c, const std::vector<double>& values) {
    const int64_t area = c.out_pixels() / c.maps.samples, channels = c.out_channels();
    std::vector<double> out;
    for (int64_t i = 0; i < c.maps.samples; ++i)
      for (int64_t pixel = 0; pixel < area; ++pixel)
        for (int64_t channel = 0; channel < channels; ++channel)
          out.push_back(values[static_cast<size_t>((i * channels + channel) * area + pixel)]);
    return out;
  }
};

TEST(BevPool, HasTheSumsOfBevdet) { has_the_sums_of_bevdet(OnDevice{}); }
TEST(BevPool, EqualsTheReferenceOfAnyNumberOfChannels) {
  equals_the_reference_of_any_number_of_channels(OnDevice{});
}
// More than a block has.
TEST(BevPool, EqualsTheReferenceOfManyChannels) {
  for (const int64_t channels : {256, 264, 257})
    checked<float>(OnDevice{}, random_case(frustum_of(3, 2, 3), grid_of(3, 6, 1), 1, 1, channels));
}
TEST(BevPool, ReducesBySumMeanAndLargest) { reduces_by_sum_mean_and_largest(OnDevice{}); }
TEST(BevPool, TakesEveryLayout) { takes_every_layout(OnDevice{}); }
TEST(BevPool, TakesFrustumsOfAnySize) { takes_frustums_of_any_size(OnDevice{}); }
TEST(BevPool, SumsLongCells) { sums_long_cells(OnDevice{}); }
TEST(BevPool, IsZeroWhereThereAreNoPoints) { is_zero_where_there_are_no_points(OnDevice{}); }
TEST(BevPool, SpreadsNanToAPixelsCellsAlone) { spreads_nan_to_a_pixels_cells_alone(OnDevice{}); }
TEST(BevPool, TheFirstOfEqualsWins) { the_first_of_equals_wins(OnDevice{}); }
TEST(BevPool, ASampleDoesNotDependOnOthers) { a_sample_does_not_depend_on_others(OnDevice{}); }

TEST(BevPool, ZeroesWhatAPixelHasBehindItsChannels) {
  for (const int levels : {1, 2}) {
    const Case c = random_case(frustum_of(5, 9, 7), grid_of(9, 17, levels), 2, 2, 6);
    const auto index =
        bev_reference::index_of(c.cells, c.pool.frustum, c.pool.grid, c.maps.samples, c.maps.cameras);
    const DeviceArray<float> depth(stored<float>(c.stored_depth())),
        features(stored<float>(c.stored_features()));
    const DeviceArray<int32_t> starts(index.cell_starts);
    const DeviceArray<BevRun> runs(index.runs);
    DeviceArray<char> workspace(
        bev_pool_workspace<float>(c.pool, c.maps.samples, c.maps.cameras, c.maps.channels));
    const auto used = static_cast<size_t>(c.out_channels()), stride = used + 2;
    DeviceArray<float> out(c.out_pixels() * static_cast<int64_t>(stride));
    bev_pool<float>(c.lifted<float>(depth.data(), features.data()), {starts.data(), runs.data(), nullptr},
                    c.pool, c.blocks<float>(out.data(), static_cast<int64_t>(stride)), nullptr,
                    workspace.data(), nullptr);
    const std::vector<double> dense = OnDevice{}.of<float>(c).out;
    const std::vector<float> got = out.download();
    for (size_t i = 0; i < got.size(); ++i) {
      const double want = i % stride < used ? dense[i / stride * used + i % stride] : 0;
      ASSERT_EQ(got[i], want) << i;
    }
  }
}

// B1's first camera over some of the cells before it.
Case regular_case(DepthBins bins, int64_t channels, int64_t samples) {
  bev_rig::BevCase b1 = bev_rig::bev_case("B1");
  b1.grid.lower[0] = 4, b1.grid.lower[1] = 4;
  b1.grid.cells[0] = b1.grid.cells[1] = 24;
  std::vector<int32_t> cells = bev_reference::cells_of(b1);
  Case c = random_case(b1.frustum, b1.grid, samples, 1, channels);
  c.bins = bins;
  for (size_t i = 0; i < c.cells.size(); ++i)
    c.cells[i] = cells[i % static_cast<size_t>(b1.frustum.points())];
  return c;
}

TEST(Profile, BevPool) { checked<Half>(OnDevice{}, regular_case(DepthBins::Last, 128, profile_batch())); }
TEST(Profile, BevPoolOfPlanes) {
  checked<float>(OnDevice{}, regular_case(DepthBins::First, 64, profile_batch()));
}

// BEVFusion's detector at its full size takes minutes: for bench/predict, by GTEST_ALSO_RUN_DISABLED_TESTS=1.
TEST(Profile, DISABLED_BevPoolOfB4) {
  const bev_rig::BevCase b4 = bev_rig::bev_case("B4");
  Case c = random_case(b4.frustum, b4.grid, 1, 6, b4.channels);
  c.cells = bev_reference::cells_of(b4);
  OnDevice{}.of<Half>(c);
}

}  // namespace
}  // namespace tyto::kernels::bev_pooling

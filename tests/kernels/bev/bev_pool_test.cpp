#include <omp.h>

#include <algorithm>

#include "kernels/bev/bev_pool_cases.h"
#include "kernels/bev/bev_pool_cells.h"

namespace tyto::kernels::bev_pooling {
namespace {

struct OnCpu {
  int64_t block = 0;  // of the result; 0: as the case says

  template <class T>
  Result of(const Case& c) const {
    const auto depth = stored<T>(c.stored_depth()), features = stored<T>(c.stored_features());
    const auto index =
        bev_reference::index_of(c.cells, c.pool.frustum, c.pool.grid, c.maps.samples, c.maps.cameras);
    std::vector<char> workspace(static_cast<size_t>(
        bev_pool_cpu_workspace<T>(c.pool, c.maps.samples, c.maps.cameras, c.maps.channels)));
    const int64_t of_block = block > 0 ? block : c.block();
    ChannelBlocks<T> out = c.blocks<T>(nullptr, of_block);
    std::vector<Stored<T>> values(static_cast<size_t>(out.n * out.image_stride));
    out.data = reinterpret_cast<T*>(values.data());
    Result result;
    result.winners.resize(c.winners ? static_cast<size_t>(c.out_elements()) : 0);
    bev_pool_cpu<T>(c.lifted(reinterpret_cast<const T*>(depth.data()),
                             host_address(reinterpret_cast<const T*>(features.data()), c.offset)),
                    index.view(), c.pool, out, c.winners ? result.winners.data() : nullptr, workspace.data());
    const std::vector<double> got = doubles<T>(values);
    for (int64_t i = 0; i < out.n; ++i)
      for (int64_t pixel = 0; pixel < out.area(); ++pixel)
        for (int64_t channel = 0; channel < out.channels; ++channel)
          result.out.push_back(
              got[static_cast<size_t>(i * out.image_stride + channel / of_block * out.block_stride +
                                      pixel * of_block + channel % of_block)]);
    return result;
  }
};

TEST(BevPool, HasTheSumsOfBevdet) { has_the_sums_of_bevdet(OnCpu{}); }
TEST(BevPool, EqualsTheReferenceOfAnyNumberOfChannels) {
  equals_the_reference_of_any_number_of_channels(OnCpu{});
  checked<float>(OnCpu{}, small_case(200));
}
TEST(BevPool, ReducesBySumMeanAndLargest) { reduces_by_sum_mean_and_largest(OnCpu{}); }
TEST(BevPool, TakesEveryLayout) { takes_every_layout(OnCpu{}); }
TEST(BevPool, TakesFrustumsOfAnySize) { takes_frustums_of_any_size(OnCpu{}); }
TEST(BevPool, SumsLongCells) { sums_long_cells(OnCpu{}); }
TEST(BevPool, IsZeroWhereThereAreNoPoints) { is_zero_where_there_are_no_points(OnCpu{}); }
TEST(BevPool, SpreadsNanToAPixelsCellsAlone) { spreads_nan_to_a_pixels_cells_alone(OnCpu{}); }
TEST(BevPool, TheFirstOfEqualsWins) { the_first_of_equals_wins(OnCpu{}); }
TEST(BevPool, ASampleDoesNotDependOnOthers) { a_sample_does_not_depend_on_others(OnCpu{}); }

// Also where the last block is not full.
TEST(BevPool, WritesTheBlocksOfOneDnn) {
  for (const int64_t block : {8, 16})
    for (const int64_t channels : {16, 20}) checked_in_all_types(OnCpu{block}, small_case(channels));
}

TEST(BevPool, HasTheSameBitsOnAnyNumberOfThreads) {
  const Case c = small_case(24);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const Result one = OnCpu{}.of<float>(c);
  omp_set_num_threads(3);
  const Result three = OnCpu{}.of<float>(c);
  omp_set_num_threads(threads);
  EXPECT_EQ(one.out, three.out);
}

TEST(BevPool, OfTheRigEqualsTheReference) {
  const bev_rig::BevCase b1 = bev_rig::bev_case("B1");
  Case c = random_case(b1.frustum, b1.grid, 1, 6, b1.channels);
  c.cells = bev_reference::cells_of(b1);
  EXPECT_EQ(std::count_if(c.cells.begin(), c.cells.end(), [](int32_t cell) { return cell >= 0; }),
            bev_rig::kCounts[0].kept);
  checked<float>(OnCpu{}, c);
}

template <class C>
void compare_levels() {
  Case c = small_case(208);  // more vectors than any level has registers for
  c.pool.logits = false;
  const auto index = bev_reference::index_of(c.cells, c.pool.frustum, c.pool.grid, 2, 2);
  const auto want = bev_reference::pooled<C>(c.maps, c.pool, c.cells);
  // By columns, of the first sample.
  const Frustum& f = c.pool.frustum;
  const int64_t pixels = 2 * f.height * f.width;
  constexpr int64_t kAligned = 64 / sizeof(C);
  std::vector<C> weights, memory(static_cast<size_t>(pixels * c.maps.channels + kAligned));
  C* features = memory.data() + kAligned - reinterpret_cast<uintptr_t>(memory.data()) / sizeof(C) % kAligned;
  C* to = features;
  for (int64_t i = 0; i < pixels; ++i) {
    const int64_t row = i % f.height, column = i / f.height % f.width, image = i / f.height / f.width;
    const int64_t pixel = (image * f.height + row) * f.width + column;
    for (int64_t channel = 0; channel < c.maps.channels; ++channel)
      *to++ = static_cast<C>(c.maps.features[static_cast<size_t>(pixel * c.maps.channels + channel)]);
  }
  for (int64_t i = 0; i < 2 * f.points(); ++i) {
    const int64_t row = i % f.height, bin = i / f.height % f.bins, column = i / f.height / f.bins % f.width,
                  image = i / f.height / f.bins / f.width;
    weights.push_back(static_cast<C>(
        c.maps.depth[static_cast<size_t>(((image * f.height + row) * f.width + column) * f.bins + bin)]));
  }
  const PackedMaps<C> maps = {weights.data(), features, c.maps.channels, f.bins,
                              f.height,       f.width,  1.0 / f.bins,    1.0 / f.width};
  BevPoolLevel<C> levels[3];
  const int count = bev_pool_levels(levels);
  ASSERT_GE(count, 1);
  alignas(64) C got[208];
  for (int level = 0; level < count; ++level) {
    SCOPED_TRACE(levels[level].name);
    for (int64_t cell = 0; cell < c.pool.grid.size(); ++cell) {
      const int64_t first = index.cell_starts[static_cast<size_t>(cell)];
      levels[level].sum(maps, &index.runs[static_cast<size_t>(first)],
                        index.cell_starts[static_cast<size_t>(cell + 1)] - first, C(1), got);
      for (int64_t channel = 0; channel < 208; ++channel) {
        const auto at = static_cast<size_t>(cell * 208 + channel);
        // Inputs are rounded to C here.
        ASSERT_NEAR(got[channel], want.out[at], 2 * want.error[at]) << cell << " " << channel;
      }
    }
  }
}

TEST(BevPool, EveryLevelOfInstructionsEqualsTheReference) {
  compare_levels<float>();
  compare_levels<double>();
}

}  // namespace
}  // namespace tyto::kernels::bev_pooling

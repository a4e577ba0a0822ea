#include <omp.h>

#include <algorithm>

#include "kernels/bev/bev_formulations.h"
#include "kernels/bev/bev_pool_cases.h"
#include "kernels/bev/bev_pool_cells.h"
#include "kernels/bev/bev_pool_split.h"

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

// What the benchmarks compare with computes the same.
TEST(BevPool, OtherFormulationsEqualTheReference) {
  Case c = random_case(frustum_of(5, 9, 7), grid_of(9, 17, 1), 1, 2, 5);
  c.maps.depth = as_stored<float>(c.maps.depth);
  c.maps.features = as_stored<float>(c.maps.features);
  const auto want = bev_reference::pooled<float>(c.maps, c.pool, c.cells);
  const auto depth = stored<float>(c.maps.depth), features = stored<float>(c.maps.features);
  const auto points = bev_formulations::points_by_cell(c.cells.data(), c.pool.frustum, 2);
  std::vector<float> weights(depth.size()), lifted(points.cell.size() * 5), atomic(want.out.size()),
      cumsum(atomic);
  bev_formulations::softmax_rows(depth.data(), c.pixels(), 7, weights.data());
  bev_formulations::atomic(points, weights.data(), features.data(), 5, c.pool.grid.size(), atomic.data());
  bev_formulations::cumsum(points, weights.data(), features.data(), 5, c.pool.grid.size(), lifted.data(),
                           cumsum.data());
  double all = 0;  // what the running sum rounds
  for (size_t i = 0; i < points.cell.size(); ++i)
    for (size_t channel = 0; channel < 5; ++channel)
      all += std::abs(double{weights[static_cast<size_t>(points.depth[i])]} *
                      features[5 * static_cast<size_t>(points.pixel[i]) + channel]);
  all *= static_cast<double>(points.cell.size()) * 0x1p-24;
  for (size_t i = 0; i < want.out.size(); ++i) {
    ASSERT_NEAR(atomic[i], want.out[i], 2 * want.error[i]) << i;
    ASSERT_NEAR(cumsum[i], want.out[i], all) << i;
  }
}

template <class C>
C* aligned(std::vector<C>& memory, int64_t size) {
  memory.resize(static_cast<size_t>(size) + 64 / sizeof(C));
  const auto past = reinterpret_cast<uintptr_t>(memory.data()) % 64;
  return memory.data() + (64 - past) / sizeof(C);
}

// One column of pixels, and runs of it that go to two cells in turn.
template <class C>
void compare_sums(const BevPoolLevel<C>& level, int64_t channels) {
  SCOPED_TRACE(::testing::Message() << level.name << ", " << channels << " channels");
  constexpr int64_t kHeight = 9, kStride = 16;
  constexpr double kUnit = std::is_same_v<C, double> ? 0x1p-53 : 0x1p-24;
  std::vector<C> weights(kHeight * kStride), of_features, of_cells;
  C *features = aligned(of_features, kHeight * channels), *cells = aligned(of_cells, 2 * channels);
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  for (C& v : weights) v = static_cast<C>(normal(random));
  for (int64_t i = 0; i < kHeight * channels; ++i) features[i] = static_cast<C>(normal(random));
  std::fill_n(cells, 2 * channels, C(1));
  std::vector<BevTileRun> runs;
  for (int32_t bin = 0; bin < 7; ++bin)
    for (uint16_t first = 0; first < kHeight; first = static_cast<uint16_t>(first + bin + 1))
      runs.push_back({0, 70 + bin, static_cast<int32_t>(runs.size() % 2), first,
                      static_cast<uint16_t>(std::min<int>(bin + 1, kHeight - first))});
  level.sum({weights.data(), features, kStride, channels, 70, runs.data(), static_cast<int64_t>(runs.size())},
            cells);
  for (int32_t cell = 0; cell < 2; ++cell)
    for (int64_t c = 0; c < channels; ++c) {
      double sum = 1, magnitude = 1, points = 0;
      for (const BevTileRun& run : runs)
        for (int64_t row = run.first_row; run.cell == cell && row < run.first_row + run.rows;
             ++row, ++points) {
          const double v = double{weights[static_cast<size_t>(row * kStride + run.bin - 70)]} *
                           double{features[row * channels + c]};
          sum += v;
          magnitude += std::abs(v);
        }
      ASSERT_NEAR(cells[cell * channels + c], sum, 1.01 * (points + 2) * kUnit * magnitude)
          << cell << " " << c;
    }
}

TEST(BevPool, EveryLevelOfInstructionsSums) {
  BevPoolLevel<float> floats[3];
  BevPoolLevel<double> doubles[3];
  const int count = bev_pool_levels(floats);
  ASSERT_GE(count, 1);
  ASSERT_EQ(bev_pool_levels(doubles), count);
  for (int level = 0; level < count; ++level)
    for (const int64_t channels : {16, 48, 64, 80, 96, 208}) {  // the last fits no level's registers
      compare_sums(floats[level], channels);
      compare_sums(doubles[level], channels);
    }
}

TEST(BevPool, EveryLevelOfInstructionsTakesTheSoftmax) {
  BevPoolLevel<float> levels[3];
  const int count = bev_pool_levels(levels);
  for (int level = 0; level < count; ++level) {
    SCOPED_TRACE(levels[level].name);
    std::vector<float> memory;
    float* bins = aligned(memory, 48);
    double given[48], sum = 0;
    for (int k = 0; k < 48; ++k) {
      given[k] = k < 41 ? -0.37 * (k * 29 % 41) - (k == 3 ? 200 : 0) : -kInfinity;
      bins[k] = static_cast<float>(given[k]);
      given[k] = bins[k];
      sum += std::exp(given[k]);  // the largest is 0
    }
    levels[level].softmax(bins, 48);
    for (int k = 0; k < 48; ++k) {
      const double e = std::exp(given[k]) / sum, roundings = 11 + 48 - 4.5 * std::max(given[k], -20.0);
      EXPECT_NEAR(bins[k], e, roundings * 0x1p-24 * e + 0x1p-125) << k;
    }
  }
}

// The pieces that a group of lanes of bev_pool.cu takes, one after the other, from the cells of its block.
int longest_chain(const bev_reference::Index& index, int64_t cells, int64_t channels) {
  const int groups = groups_of_block(lanes_of_group(static_cast<int>(channels)));
  int longest = 0;
  for (int64_t cell = 0; cell < cells; cell += kPoolCells) {
    const int end = index.cell_starts[static_cast<size_t>(std::min(cell + kPoolCells, cells))];
    int chain = 0;
    for (int first = index.cell_starts[static_cast<size_t>(cell)]; first < end; first += kPoolThreads) {
      int pieces = 0;
      for (int run = first; run < std::min(first + kPoolThreads, end); ++run)
        pieces += pieces_of_run(index.runs[static_cast<size_t>(run)].rows);
      chain += pieces_of_group(pieces, groups);
    }
    longest = std::max(longest, chain);
  }
  return longest;
}

TEST(BevPool, ChainsOfLoadsAreShortInEveryCase) {
  for (int i = 1; i <= 8; ++i) {
    const std::string name = "B" + std::to_string(i);
    const bev_rig::BevCase c = bev_rig::bev_case(name);
    const auto index = bev_reference::index_of(bev_reference::cells_of(c), c.frustum, c.grid, 1, 6);
    const int chain = longest_chain(index, c.grid.size(), c.channels);
    RecordProperty(name, chain);
    EXPECT_LE(chain, 64) << name;
    if (name == "B7") {
      EXPECT_EQ(chain, 42);  // as bev_pool.cu says
    }
  }
}

}  // namespace
}  // namespace tyto::kernels::bev_pooling

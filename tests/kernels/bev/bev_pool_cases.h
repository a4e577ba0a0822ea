// What bev_pool promises, for CPU and CUDA. `run` is the one or the other.
#pragma once

#include <gtest/gtest.h>

#include <random>

#include "kernels/bev/bev_reference.h"
#include "kernels/losses/stored_values.h"

namespace tyto::kernels::bev_pooling {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

enum class Layout { ChannelsLast, ChannelsFirst };

struct Case {
  BevPool pool;
  bev_reference::Maps maps;
  std::vector<int32_t> cells;
  DepthBins bins = DepthBins::Last;
  int64_t depth_padding = 0, feature_padding = 0;  // of a pixel
  Layout layout = Layout::ChannelsLast;
  int64_t offset = 0;  // of features and results from an aligned address, in elements
  bool winners = false;

  int64_t images() const { return maps.samples * maps.cameras; }
  int64_t area() const { return int64_t{pool.frustum.height} * pool.frustum.width; }
  int64_t pixels() const { return images() * area(); }
  int64_t feature_stride() const { return maps.channels + feature_padding; }
  int64_t depth_stride() const { return pool.frustum.bins + depth_padding; }
  int64_t out_channels() const { return pool.grid.levels() * maps.channels; }
  int64_t out_pixels() const { return maps.samples * pool.grid.rows() * pool.grid.columns(); }
  int64_t out_elements() const { return out_pixels() * out_channels(); }

  // As a kernel over T gets them; what lies between pixels is NaN.
  std::vector<double> stored_features() const {
    std::vector<double> out(static_cast<size_t>(pixels() * feature_stride() + offset), kNan);
    for (int64_t i = 0; i < pixels(); ++i)
      for (int64_t c = 0; c < maps.channels; ++c)
        out[static_cast<size_t>(offset + i * feature_stride() + c)] =
            maps.features[static_cast<size_t>(i * maps.channels + c)];
    return out;
  }
  std::vector<double> stored_depth() const {
    const int64_t count = pool.frustum.bins;
    const bool last = bins == DepthBins::Last;
    std::vector<double> out(static_cast<size_t>(pixels() * (last ? depth_stride() : count)), kNan);
    for (int64_t i = 0; i < pixels(); ++i)
      for (int64_t bin = 0; bin < count; ++bin)
        out[static_cast<size_t>(last ? i * depth_stride() + bin
                                     : (i / area() * count + bin) * area() + i % area())] =
            maps.depth[static_cast<size_t>(i * count + bin)];
    return out;
  }
  template <class T>
  LiftedMaps<const T> lifted(const T* depth, const T* features) const {
    return {depth,
            bins,
            bins == DepthBins::Last ? depth_stride() : 0,
            features,
            feature_stride(),
            maps.samples,
            maps.cameras,
            maps.channels};
  }
  template <class T>
  ChannelBlocks<T> blocks(T* out, int64_t block) const {
    const int64_t rows = pool.grid.rows(), columns = pool.grid.columns(), channels = out_channels();
    const int64_t count = block > 0 ? (channels + block - 1) / block : 0;
    return {out,
            maps.samples,
            channels,
            rows,
            columns,
            block,
            count * block * rows * columns,
            block * rows * columns};
  }
  int64_t block() const { return layout == Layout::ChannelsFirst ? 1 : out_channels(); }
};

struct Result {
  std::vector<double> out;  // [samples, rows, columns, levels * channels]
  std::vector<int32_t> winners;
};

// Columns of points that stay in a cell for some rows; a share of the points falls into cell 0, the grid's
// last cell and none.
inline Case random_case(const Frustum& frustum, const BevGrid& grid, int64_t samples, int64_t cameras,
                        int64_t channels, uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Case c{.pool = {.frustum = frustum, .grid = grid},
         .maps = {.samples = samples, .cameras = cameras, .channels = channels}};
  c.maps.depth.resize(static_cast<size_t>(c.pixels() * frustum.bins));
  c.maps.features.resize(static_cast<size_t>(c.pixels() * channels));
  for (double& v : c.maps.depth) v = 2 * normal(random);
  for (double& v : c.maps.features) v = normal(random);
  c.cells.assign(static_cast<size_t>(samples * cameras * frustum.points()), -1);
  const auto size = static_cast<uint32_t>(grid.size());
  for (int64_t depth = 0; depth < samples * cameras * frustum.bins; ++depth)
    for (int column = 0; column < frustum.width; ++column) {
      int32_t cell = -1;
      for (int row = 0; row < frustum.height; ++row) {
        if (row == 0 || random() % 4 == 0) {
          const uint32_t kind = random() % 8;
          cell = kind == 0 ? -1
                           : static_cast<int32_t>(kind == 1   ? 0
                                                  : kind == 2 ? size - 1
                                                              : random() % size);
        }
        c.cells[static_cast<size_t>((depth * frustum.height + row) * frustum.width + column)] = cell;
      }
    }
  return c;
}

inline BevGrid grid_of(int rows, int columns, int levels) {
  BevGrid grid;
  grid.cells[0] = rows, grid.cells[1] = columns, grid.cells[2] = levels;
  return grid;
}
inline Frustum frustum_of(int height, int width, int bins) {
  return {
      .image_height = 8 * height, .image_width = 8 * width, .height = height, .width = width, .bins = bins};
}
// Odd everywhere, one past a tile.
inline Case small_case(int64_t channels, uint32_t seed = 1) {
  return random_case(frustum_of(5, 9, 7), grid_of(9, 17, 1), 2, 2, channels, seed);
}

template <class T, class Run>
Result checked(const Run& run, const Case& given) {
  SCOPED_TRACE(::testing::Message() << sizeof(Stored<T>) << " bytes, " << given.maps.channels
                                    << " channels, reduction " << static_cast<int>(given.pool.reduction)
                                    << ", layout " << static_cast<int>(given.layout));
  Case c = given;
  c.maps.depth = as_stored<T>(c.maps.depth);
  c.maps.features = as_stored<T>(c.maps.features);
  const Result got = run.template of<T>(c);
  const auto want = bev_reference::pooled<T>(c.maps, c.pool, c.cells);
  constexpr double kSmallest = std::is_same_v<T, Half> ? 0x1p-25 : 0;
  EXPECT_EQ(got.out.size(), want.out.size());
  EXPECT_EQ(got.winners.size(), c.winners ? want.out.size() : 0);
  int wrong = 0;
  for (size_t i = 0; i < want.out.size() && wrong < 5; ++i) {
    const double e = want.out[i], error = want.error[i],
                 near = error + kRounding<T> * (std::abs(e) + error) + kSmallest;
    const bool same =
        std::isnan(e) ? std::isnan(got.out[i]) : e == got.out[i] || std::abs(got.out[i] - e) <= near;
    EXPECT_TRUE(same) << "element " << i << " is " << got.out[i] << ", not " << e << " +- " << near;
    wrong += !same;
    if (!c.winners || (c.pool.logits && want.winners[i] >= 0)) continue;
    EXPECT_EQ(got.winners[i], want.winners[i]) << "element " << i;
    wrong += got.winners[i] != want.winners[i];
  }
  return got;
}

template <class Run>
void checked_in_all_types(const Run& run, const Case& c) {
  checked<double>(run, c);
  checked<float>(run, c);
  checked<Half>(run, c);
  checked<BFloat16>(run, c);
}

// N = 1, D = 2, H = W = 2, C = 2.
template <class Run>
void has_the_sums_of_bevdet(const Run& run) {
  Case c{.pool = {.frustum = frustum_of(2, 2, 2), .grid = grid_of(1, 2, 1), .logits = false},
         .maps = {.channels = 2},
         .cells = {0, 1, -1, -1, 0, -1, 1, -1}};
  c.maps.depth = {.3, .7, .4, .6, .2, .8, .1, .9};  // by pixel
  c.maps.features.assign(8, 1);
  const Result got = checked<float>(run, c);
  double sum = 0;
  for (double v : got.out) sum += v;
  EXPECT_NEAR(sum, 4.4, 1e-6);
}

template <class Run>
void equals_the_reference_of_any_number_of_channels(const Run& run) {
  for (const int64_t channels : {1, 3, 8, 16, 63, 64, 65, 80}) checked<float>(run, small_case(channels));
  for (const int64_t channels : {7, 24, 80}) checked_in_all_types(run, small_case(channels));
}

template <class Run>
void reduces_by_sum_mean_and_largest(const Run& run) {
  for (const BevReduction reduction : {BevReduction::Sum, BevReduction::Mean, BevReduction::Max})
    for (const bool logits : {false, true})
      for (const int64_t channels : {5, 16}) {
        Case c = small_case(channels);
        c.pool.reduction = reduction;
        c.pool.logits = logits;
        c.winners = reduction == BevReduction::Max;
        checked_in_all_types(run, c);
      }
}

template <class Run>
void takes_every_layout(const Run& run) {
  for (const DepthBins bins : {DepthBins::First, DepthBins::Last})
    for (const Layout layout : {Layout::ChannelsLast, Layout::ChannelsFirst})
      for (const int64_t padding : {0, 3, 8}) {
        Case c = random_case(frustum_of(5, 9, 7), grid_of(9, 17, padding == 3 ? 1 : 3), 2, 2, 16);
        c.bins = bins;
        c.layout = layout;
        c.depth_padding = bins == DepthBins::Last ? padding : 0;
        c.feature_padding = padding;
        c.offset = padding == 3;
        checked<Half>(run, c);
        if (padding == 3) checked_in_all_types(run, c);
      }
}

// Of more bins and rows than lanes, and of one.
template <class Run>
void takes_frustums_of_any_size(const Run& run) {
  for (const Frustum& f : {frustum_of(1, 1, 1), frustum_of(33, 1, 2), frustum_of(1, 20, 70)})
    checked<float>(run, random_case(f, grid_of(3, 4, 1), 1, 2, 8));
}

// All points in one cell of a large grid, but some.
template <class Run>
void sums_long_cells(const Run& run) {
  for (const int height : {1, 7, 40})
    for (const BevReduction reduction : {BevReduction::Sum, BevReduction::Mean, BevReduction::Max}) {
      Case c = random_case(frustum_of(height, 13, 280 / height), grid_of(9, 17, 1), 1, 2, 24);
      std::fill(c.cells.begin(), c.cells.end(), 20);
      for (size_t i = 0; i < c.cells.size(); i += 11) c.cells[i] = static_cast<int32_t>(i % 100);
      c.pool.reduction = reduction;
      c.pool.logits = false;
      c.winners = reduction == BevReduction::Max;
      checked<float>(run, c);
      checked<Half>(run, c);
    }
}

template <class Run>
void is_zero_where_there_are_no_points(const Run& run) {
  for (const BevReduction reduction : {BevReduction::Sum, BevReduction::Mean, BevReduction::Max}) {
    Case c = small_case(16);
    std::fill(c.cells.begin(), c.cells.end(), -1);
    c.pool.reduction = reduction;
    c.winners = reduction == BevReduction::Max;
    const Result got = checked<float>(run, c);
    EXPECT_EQ(got.out, std::vector<double>(got.out.size(), 0.0));
  }
}

// A pixel whose logits have a NaN, or are all -infinity, gives NaN to the cells that its points are in, and
// to no other; a lone -infinity gives nothing.
template <class Run>
void spreads_nan_to_a_pixels_cells_alone(const Run& run) {
  const auto pixel_of = [](double first, double rest) {
    Case c = small_case(8);
    for (size_t bin = 0; bin < 7; ++bin) c.maps.depth[7 * 11 + bin] = bin == 0 ? first : rest;
    return c;
  };
  for (const Case& c : {pixel_of(kNan, 1), pixel_of(-kInfinity, -kInfinity), pixel_of(-kInfinity, 1)}) {
    const Result got = checked<float>(run, c);
    checked<double>(run, c);
    checked<Half>(run, c);
    const auto count = std::count_if(got.out.begin(), got.out.end(), [](double v) { return std::isnan(v); });
    EXPECT_EQ(count > 0, c.maps.depth[7 * 11 + 1] != 1 || std::isnan(c.maps.depth[7 * 11]));
    EXPECT_LT(count, 8 * 8);
  }
}

// The first NaN is the largest, and of equals the first.
template <class Run>
void the_first_of_equals_wins(const Run& run) {
  Case c{.pool = {.frustum = frustum_of(2, 2, 2),
                  .grid = grid_of(1, 1, 1),
                  .reduction = BevReduction::Max,
                  .logits = false},
         .maps = {.channels = 2},
         .cells = std::vector<int32_t>(8, 0),
         .winners = true};
  c.maps.depth.assign(8, 1);
  c.maps.features = {1, 1, 2, 5, 2, kNan, 2, kNan};  // pixels by channels
  const Result got = checked<float>(run, c);
  // Columns come before rows: pixel (1, 0), in bin 0.
  EXPECT_EQ(got.winners, (std::vector<int32_t>{2, 2}));
}

// All at once and each by itself give the same bits.
template <class Run>
void a_sample_does_not_depend_on_others(const Run& run) {
  const Case both = small_case(16);
  const Result all = run.template of<float>(both);
  for (int64_t sample = 0; sample < 2; ++sample) {
    Case one = both;
    one.maps.samples = 1;
    const auto half = [&](auto& values) {
      const auto size = static_cast<std::ptrdiff_t>(values.size() / 2);
      values = {values.begin() + sample * size, values.begin() + (sample + 1) * size};
    };
    half(one.maps.depth);
    half(one.maps.features);
    half(one.cells);
    std::vector<double> of_all = all.out;
    half(of_all);
    EXPECT_EQ(run.template of<float>(one).out, of_all);
  }
}

}  // namespace tyto::kernels::bev_pooling

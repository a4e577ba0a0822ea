// What bev_pool_backward promises, for CPU and CUDA. `run` is the one or the other.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "kernels/bev/bev_pool_cases.h"
#include "kernels/losses/gradient_check.h"

namespace tyto::kernels::bev_gradients {

using bev_pooling::Case;
using bev_pooling::frustum_of;
using bev_pooling::grid_of;
using bev_pooling::kNan;
using bev_pooling::Layout;

constexpr double kUntouched = 77;  // what gradients hold before

struct Problem {
  Case c;
  std::vector<double> gradient;  // of [samples, rows, columns, levels * channels]
  std::vector<int32_t> winners;  // [samples, cells, channels], of Max
  bool wants_depth = true, wants_features = true;

  // In blocks of so many channels; what fills the last block is NaN.
  std::vector<double> stored_gradient(int64_t block) const {
    const ChannelBlocks<double> view = c.blocks<double>(nullptr, block);
    std::vector<double> out(static_cast<size_t>(view.n * view.image_stride), kNan);
    size_t from = 0;
    for (int64_t i = 0; i < view.n; ++i)
      for (int64_t pixel = 0; pixel < view.area(); ++pixel)
        for (int64_t channel = 0; channel < view.channels; ++channel)
          out[static_cast<size_t>(i * view.image_stride + channel / block * view.block_stride +
                                  pixel * block + channel % block)] = gradient[from++];
    return out;
  }
};

struct Gradients {
  std::vector<double> depth;     // [pixels, bins], or empty
  std::vector<double> features;  // [pixels, channels], or empty
};

// Takes them out of their layout; what lies between pixels has to be untouched.
inline Gradients read(const Problem& p, const std::vector<double>& depth,
                      const std::vector<double>& features) {
  const Case& c = p.c;
  std::vector<double> left = depth, left_of_features = features;
  const int64_t bins = c.pool.frustum.bins, area = c.area();
  Gradients out;
  const auto take = [](std::vector<double>& from, int64_t at) {
    return std::exchange(from[static_cast<size_t>(at)], kUntouched);
  };
  for (int64_t i = 0; i < c.pixels(); ++i) {
    for (int64_t bin = 0; bin < bins; ++bin)
      out.depth.push_back(take(left, c.bins == DepthBins::Last ? i * c.depth_stride() + bin
                                                               : (i / area * bins + bin) * area + i % area));
    for (int64_t channel = 0; channel < c.maps.channels; ++channel)
      out.features.push_back(take(left_of_features, c.offset + i * c.feature_stride() + channel));
  }
  const auto all_untouched = [](const std::vector<double>& values) {
    return std::all_of(values.begin(), values.end(), [](double v) { return v == kUntouched; });
  };
  EXPECT_TRUE(all_untouched(left)) << "depth's padding was written";
  EXPECT_TRUE(all_untouched(left_of_features)) << "the features' padding was written";
  if (!p.wants_depth) {
    EXPECT_TRUE(all_untouched(depth));
    out.depth.clear();
  }
  if (!p.wants_features) {
    EXPECT_TRUE(all_untouched(features));
    out.features.clear();
  }
  return out;
}

struct Expected {
  Gradients value, error;
};

// Sums of n terms are off by n roundings, relative to the sum of magnitudes; a weight by those of e^x, of
// the sum and of the quotient, as bev_reference says; a share by two.
template <class T>
Expected expected(const Problem& p) {
  constexpr double kUnit = std::is_same_v<Computed<T>, double> ? 0x1p-53 : 0x1p-24;
  const Case& c = p.c;
  const Frustum& f = c.pool.frustum;
  const int64_t channels = c.maps.channels, cells = c.pool.grid.size(), area = c.area();
  const auto weights = bev_reference::weights_of(c.maps, c.pool);
  std::vector<double> points(static_cast<size_t>(c.maps.samples * cells));
  const auto cell_at = [&](int64_t pixel, int64_t bin) {
    return c.cells[static_cast<size_t>((pixel / area * f.bins + bin) * area + pixel % area)];
  };
  const auto place = [&](int64_t pixel, int64_t cell) {
    return static_cast<size_t>(pixel / area / c.maps.cameras * cells + cell);
  };
  for (int64_t pixel = 0; pixel < c.pixels(); ++pixel)
    for (int64_t bin = 0; bin < f.bins; ++bin)
      if (cell_at(pixel, bin) >= 0) ++points[place(pixel, cell_at(pixel, bin))];
  Expected out;
  for (int64_t pixel = 0; pixel < c.pixels(); ++pixel) {
    const auto bins = static_cast<size_t>(f.bins), width = static_cast<size_t>(channels);
    std::vector<double> spread(width), spread_size(width), slopes(bins), sizes(bins);
    const double* feature = &c.maps.features[static_cast<size_t>(pixel) * width];
    const double* weight = &weights.values[static_cast<size_t>(pixel) * bins];
    double of_weight = 0, mean = 0, mean_size = 0;
    for (size_t bin = 0; bin < bins; ++bin) {
      if (c.pool.logits)
        of_weight = std::max(of_weight, 11 + 4.5 * weights.range[static_cast<size_t>(pixel) * bins + bin] +
                                            static_cast<double>(f.bins));
      const int32_t cell = cell_at(pixel, static_cast<int64_t>(bin));
      if (cell < 0) continue;
      const auto point =
          (pixel / area % c.maps.cameras * f.bins + static_cast<int64_t>(bin)) * area + pixel % area;
      for (size_t channel = 0; channel < width; ++channel) {
        const size_t at = place(pixel, cell) * width + channel;
        if (c.pool.reduction == BevReduction::Max && p.winners[at] != point) continue;
        const double by = c.pool.reduction == BevReduction::Mean ? points[place(pixel, cell)] : 1;
        const double slope = p.gradient[at] / by;
        spread[channel] += weight[bin] * slope;
        spread_size[channel] += std::abs(weight[bin] * slope);
        slopes[bin] += feature[channel] * slope;
        sizes[bin] += std::abs(feature[channel] * slope);
      }
      mean += weight[bin] * slopes[bin];
      mean_size += weight[bin] * sizes[bin];
    }
    for (size_t channel = 0; channel < width; ++channel) {
      out.value.features.push_back(spread[channel]);
      out.error.features.push_back(1.01 * kUnit * (static_cast<double>(f.bins) + 4 + of_weight) *
                                   spread_size[channel]);
    }
    const double of_slope = static_cast<double>(channels) + 4;
    for (size_t bin = 0; bin < bins; ++bin) {
      const double w = weight[bin];
      out.value.depth.push_back(c.pool.logits ? w * (slopes[bin] - mean) : slopes[bin]);
      out.error.depth.push_back(
          1.01 * kUnit *
          (c.pool.logits ? w * ((of_slope + of_weight + 4) * sizes[bin] +
                                (of_slope + 2 * of_weight + static_cast<double>(f.bins) + 4) * mean_size)
                         : of_slope * sizes[bin]));
    }
  }
  return out;
}

template <class T>
Problem problem_of(const Case& c) {
  std::mt19937 random(static_cast<uint32_t>(c.maps.channels));
  std::normal_distribution<double> normal;
  Problem p{.c = c};
  p.c.maps.depth = as_stored<T>(c.maps.depth);
  p.c.maps.features = as_stored<T>(c.maps.features);
  p.gradient.resize(static_cast<size_t>(c.out_elements()));
  for (double& v : p.gradient) v = normal(random);
  p.gradient = as_stored<T>(p.gradient);
  if (c.pool.reduction == BevReduction::Max)
    p.winners = bev_reference::pooled<T>(p.c.maps, c.pool, c.cells).winners;
  return p;
}

template <class T>
void expect_near(const std::vector<double>& got, const std::vector<double>& want,
                 const std::vector<double>& error, const char* what) {
  // The distance of neighbours around 0, halved.
  constexpr double kSmallest = std::is_same_v<T, Half> ? 0x1p-25 : std::is_same_v<T, double> ? 0 : 0x1p-126;
  ASSERT_EQ(got.size(), want.size()) << what;
  for (size_t i = 0; i < want.size(); ++i) {
    if (std::isnan(want[i]) && std::isnan(got[i])) continue;
    ASSERT_NEAR(got[i], want[i], error[i] + kRounding<T> * (std::abs(want[i]) + error[i]) + kSmallest)
        << what << " " << i;
  }
}

template <class T, class Run>
Gradients agrees(const Run& run, const Problem& p) {
  SCOPED_TRACE(::testing::Message() << sizeof(Stored<T>) << " bytes, " << p.c.maps.channels
                                    << " channels, reduction " << static_cast<int>(p.c.pool.reduction)
                                    << ", layout " << static_cast<int>(p.c.layout));
  const Gradients got = run.template of<T>(p);
  const Expected want = expected<T>(p);
  if (p.wants_depth) expect_near<T>(got.depth, want.value.depth, want.error.depth, "depth");
  if (p.wants_features) expect_near<T>(got.features, want.value.features, want.error.features, "feature");
  return got;
}

template <class T, class Run>
Gradients agrees(const Run& run, const Case& c) {
  return agrees<T>(run, problem_of<T>(c));
}

template <class Run>
void agrees_in_all_types(const Run& run, const Case& c) {
  agrees<double>(run, c);
  agrees<float>(run, c);
  agrees<Half>(run, c);
  agrees<BFloat16>(run, c);
}

// Odd everywhere, one past what `run` takes at once.
template <class Run>
Case small_case(const Run& run, int64_t channels) {
  return bev_pooling::random_case(run.small_frustum(), grid_of(4, 17, 1), 2, 2, channels);
}

// The gradient of BEVDet's own test: N = 1, D = 2, H = W = 2, C = 2.
template <class Run>
void has_the_gradients_of_bevdet(const Run& run) {
  Problem p{.c = {.pool = {.frustum = frustum_of(2, 2, 2), .grid = grid_of(1, 2, 1), .logits = false},
                  .maps = {.channels = 2},
                  .cells = {0, 1, -1, -1, 0, -1, 1, -1},
                  .bins = DepthBins::First},
            .gradient = {1, 1, 1, 1}};
  p.c.maps.depth = {.3, .7, .4, .6, .2, .8, .1, .9};  // by pixel
  p.c.maps.features.assign(8, 1);
  const Gradients got = run.template of<double>(p);
  EXPECT_EQ(got.depth, (std::vector<double>{2, 2, 2, 0, 0, 2, 0, 0}));
  EXPECT_EQ(got.features, (std::vector<double>{.3 + .7, .3 + .7, .4, .4, .8, .8, 0, 0}));
}

template <class Run>
void equals_the_reference_of_any_number_of_channels(const Run& run) {
  for (const int64_t channels : {1, 3, 8, 16, 63, 64, 66, 80, 132})
    agrees<float>(run, small_case(run, channels));
  for (const int64_t channels : {7, 24, 80}) agrees_in_all_types(run, small_case(run, channels));
}

template <class Run>
void goes_back_through_every_reduction(const Run& run) {
  for (const BevReduction reduction : {BevReduction::Sum, BevReduction::Mean, BevReduction::Max})
    for (const bool logits : {false, true})
      for (const int64_t channels : {5, 16}) {
        Case c = small_case(run, channels);
        c.pool.reduction = reduction;
        c.pool.logits = logits;
        agrees_in_all_types(run, c);
      }
}

template <class Run>
void takes_every_layout(const Run& run) {
  for (const DepthBins bins : {DepthBins::First, DepthBins::Last})
    for (const Layout layout : {Layout::ChannelsLast, Layout::ChannelsFirst})
      for (const int levels : {1, 3})
        for (const int64_t padding : {0, 3, 8}) {
          Case c = bev_pooling::random_case(run.small_frustum(), grid_of(4, 17, levels), 2, 1, 16);
          c.bins = bins;
          c.layout = layout;
          c.depth_padding = bins == DepthBins::Last ? padding : 0;
          c.feature_padding = padding;
          c.offset = padding == 3;
          agrees<float>(run, c);
          if (padding == 3) agrees<Half>(run, c);
          if (padding == 0 && levels == 1) agrees_in_all_types(run, c);
        }
}

// Of more bins than lanes, and of one.
template <class Run>
void takes_frustums_of_any_size(const Run& run) {
  for (const Frustum& f : {frustum_of(1, 1, 1), frustum_of(9, 1, 2), frustum_of(1, 3, 70)})
    for (const DepthBins bins : {DepthBins::First, DepthBins::Last}) {
      Case c = bev_pooling::random_case(f, grid_of(3, 4, 1), 1, 2, 8);
      c.bins = bins;
      agrees<float>(run, c);
    }
}

// In float64, by central differences of the sum of gradient * out.
template <class Run>
void is_the_slope_of_the_sums(const Run& run) {
  for (const BevReduction reduction : {BevReduction::Sum, BevReduction::Mean, BevReduction::Max})
    for (const bool logits : {false, true}) {
      Case c = bev_pooling::random_case(frustum_of(2, 3, 4), grid_of(2, 3, 1), 1, 2, 3);
      c.pool.reduction = reduction;
      c.pool.logits = logits;
      const Problem p = problem_of<double>(c);
      const Gradients got = run.template of<double>(p);
      const auto value = [&](const bev_reference::Maps& maps) {
        const auto out = bev_reference::pooled<double>(maps, c.pool, c.cells).out;
        double sum = 0;
        for (size_t i = 0; i < out.size(); ++i) sum += out[i] * p.gradient[i];
        return sum;
      };
      expect_gradient(c.maps.depth, got.depth, [&](const std::vector<double>& depth) {
        bev_reference::Maps maps = c.maps;
        maps.depth = depth;
        return value(maps);
      });
      expect_gradient(c.maps.features, got.features, [&](const std::vector<double>& features) {
        bev_reference::Maps maps = c.maps;
        maps.features = features;
        return value(maps);
      });
    }
}

template <class Run>
void is_zero_where_all_points_lie_outside(const Run& run) {
  for (const BevReduction reduction : {BevReduction::Sum, BevReduction::Mean, BevReduction::Max}) {
    Case c = small_case(run, 16);
    std::fill(c.cells.begin(), c.cells.end(), -1);
    c.pool.reduction = reduction;
    const Gradients got = run.template of<float>(problem_of<float>(c));
    EXPECT_EQ(got.depth, std::vector<double>(c.maps.depth.size(), 0.0));
    EXPECT_EQ(got.features, std::vector<double>(c.maps.features.size(), 0.0));
  }
}

// A gradient that is not finite reaches the pixels with a point in its cell, and no other.
template <class Run>
void spreads_nan_to_a_cells_pixels_alone(const Run& run) {
  Case c = small_case(run, 16);
  for (int32_t& cell : c.cells) cell = cell == 2 ? 3 : cell;
  Problem p = problem_of<float>(c);
  p.gradient[0] = kNan;
  const auto nans = [](const std::vector<double>& v) {
    return std::count_if(v.begin(), v.end(), [](double of) { return std::isnan(of); });
  };
  const Gradients got = agrees<float>(run, p);
  EXPECT_GT(nans(got.features), 0);
  EXPECT_LT(nans(got.features), c.pixels());
  p.gradient[0] = 1;
  p.gradient[2 * 16 + 5] = kNan;  // nobody's
  const Gradients none = agrees<float>(run, p);
  EXPECT_EQ(nans(none.depth) + nans(none.features), 0);
}

template <class Run>
void writes_what_is_wanted_alone(const Run& run) {
  for (const DepthBins bins : {DepthBins::First, DepthBins::Last})
    for (const bool depth : {false, true}) {
      Case c = small_case(run, 16);
      c.bins = bins;
      Problem p = problem_of<float>(c);
      p.wants_depth = depth;
      p.wants_features = !depth;
      agrees<float>(run, p);
    }
}

// All at once and each by itself give the same bits.
template <class Run>
void a_sample_does_not_depend_on_others(const Run& run) {
  Case both = small_case(run, 16);
  both.pool.reduction = BevReduction::Mean;
  const Problem p = problem_of<float>(both);
  const Gradients all = run.template of<float>(p);
  for (int64_t sample = 0; sample < 2; ++sample) {
    const auto half = [&](auto values) {
      const auto size = static_cast<std::ptrdiff_t>(values.size() / 2);
      return decltype(values)(values.begin() + sample * size, values.begin() + (sample + 1) * size);
    };
    Problem one = p;
    one.c.maps.samples = 1;
    one.c.maps.depth = half(p.c.maps.depth);
    one.c.maps.features = half(p.c.maps.features);
    one.c.cells = half(p.c.cells);
    one.gradient = half(p.gradient);
    const Gradients got = run.template of<float>(one);
    EXPECT_EQ(got.depth, half(all.depth));
    EXPECT_EQ(got.features, half(all.features));
  }
}

}  // namespace tyto::kernels::bev_gradients

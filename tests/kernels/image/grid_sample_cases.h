// grid_sample: the definition in double, and what both devices are asked.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/image/grid_sample.h"
#include "kernels/losses/stored_values.h"

namespace tyto::kernels::sampling {

struct Shape {
  int64_t n, channels, height, width, out_height, out_width;

  int64_t inputs() const { return n * channels * height * width; }
  int64_t outputs() const { return n * channels * out_height * out_width; }
  int64_t places() const { return n * out_height * out_width; }
};

// Channels last, both.
struct Case {
  Shape shape;
  std::vector<double> x, grid;
};

inline std::vector<double> normal_values(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> values(static_cast<size_t>(count));
  for (double& v : values) v = normal(random);
  return values;
}

// Positions from well before the map to well behind it.
inline Case random_case(const Shape& shape) {
  Case c = {shape, normal_values(shape.inputs(), 1), normal_values(2 * shape.places(), 2)};
  for (double& v : c.grid) v = static_cast<double>(static_cast<float>(v));
  return c;
}

// One element, primes, a pack, one past a pack, one past a CPU's vectors and strip of pixels, none.
inline std::vector<Shape> awkward_shapes() {
  return {{1, 1, 1, 1, 2, 2},  {2, 3, 5, 7, 3, 4},  {1, 41, 2, 3, 2, 3},
          {1, 8, 4, 1, 1, 65}, {1, 16, 3, 6, 5, 2}, {0, 2, 2, 2, 2, 2}};
}

inline std::vector<GridSample> all_rules() {
  std::vector<GridSample> all;
  for (auto interpolation : {Interpolation::Nearest, Interpolation::Bilinear, Interpolation::Bicubic})
    for (auto padding : {SamplePadding::Zeros, SamplePadding::Border, SamplePadding::Reflection})
      for (bool corners : {false, true}) all.push_back({interpolation, padding, corners});
  return all;
}

// torch's position, in what it computes in: nearest cells are defined by it.
template <class C>
double position(double at, int64_t size, bool corners) {
  const C unit = static_cast<C>(at), cells = static_cast<C>(size);
  return static_cast<double>(corners ? (unit + 1) / 2 * (cells - 1) : ((unit + 1) * cells - 1) / 2);
}

// A position walked back onto the map, as often as it takes.
inline double folded(double at, int64_t size, const GridSample& how) {
  const double last = static_cast<double>(size - 1);
  const double low = how.align_corners ? 0 : -0.5, high = how.align_corners ? last : last + 0.5;
  if (how.padding == SamplePadding::Reflection) {
    if (low == high) return 0;
    while (at < low || at > high) at = at < low ? 2 * low - at : 2 * high - at;
  }
  return how.padding == SamplePadding::Zeros ? at : std::min(std::max(at, 0.0), last);
}

// (Keys 1981), a = -3/4.
inline double cubic(double x) {
  const double a = -0.75, d = std::abs(x);
  return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

// The sum over all cells near (y, x) of weight times what stands there.
template <class At>
double interpolated(double y, double x, int64_t height, int64_t width, const GridSample& how, const At& at) {
  const bool cubic_one = how.interpolation == Interpolation::Bicubic;
  if (!cubic_one) {
    y = folded(y, height, how);
    x = folded(x, width, how);
  }
  const auto weight = [&](double away) {
    return how.interpolation == Interpolation::Bilinear ? std::max(1 - std::abs(away), 0.0) : cubic(away);
  };
  const auto cell = [&](double row, double column) {
    if (cubic_one) {
      row = folded(row, height, how);
      column = folded(column, width, how);
    }
    const auto r = static_cast<int64_t>(row), c = static_cast<int64_t>(column);
    return row < 0 || column < 0 || r >= height || c >= width ? 0.0 : at(r, c);
  };
  if (how.interpolation == Interpolation::Nearest) return cell(std::nearbyint(y), std::nearbyint(x));
  double sum = 0;
  for (double row = std::floor(y) - 1; row <= std::floor(y) + 2; ++row)
    for (double column = std::floor(x) - 1; column <= std::floor(x) + 2; ++column)
      sum += weight(row - y) * weight(column - x) * cell(row, column);
  return sum;
}

template <class T>
std::vector<double> reference(const Case& c, const GridSample& how) {
  const Shape& s = c.shape;
  const std::vector<double> x = as_stored<T>(c.x);
  std::vector<double> y(static_cast<size_t>(s.outputs()));
  for (int64_t place = 0; place < s.places(); ++place)
    for (int64_t channel = 0; channel < s.channels; ++channel) {
      const int64_t image = place / (s.out_height * s.out_width);
      const auto grid = static_cast<size_t>(2 * place);
      y[static_cast<size_t>(place * s.channels + channel)] =
          interpolated(position<Computed<T>>(c.grid[grid + 1], s.height, how.align_corners),
                       position<Computed<T>>(c.grid[grid], s.width, how.align_corners), s.height, s.width,
                       how, [&](int64_t row, int64_t column) {
                         return x[static_cast<size_t>(
                             ((image * s.height + row) * s.width + column) * s.channels + channel)];
                       });
    }
  return y;
}

// A position below 32 cells that is folded takes four roundings, on two axes; cells differ by up to 8, and a
// cubic is at most twice as steep. Then 16 products of three numbers, of weights that add up to less than 3.
template <class T>
double allowed(double value) {
  return (2 * 4 * 32 * 16 + 20 * 3 * 4) * kRounding<Computed<T>> + kRounding<T> * std::abs(value);
}

template <class T>
std::vector<Computed<T>> computed_values(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

// block 0: channels last.
struct OnCpu {
  int64_t block = 0;

  template <class T>
  std::vector<double> sample(const Case& c, const GridSample& how) const {
    const Shape& s = c.shape;
    const int64_t block_size = block == 0 ? s.channels : block;
    const auto view = [&]<class E>(E* data, int64_t height, int64_t width) {
      ChannelBlocks<E> v = {data, s.n, s.channels, height, width, block_size, 0, height * width * block_size};
      v.image_stride = v.blocks() * v.block_stride;
      return v;
    };
    const auto place = [&](const auto& v, int64_t pixel, int64_t channel) {
      return static_cast<size_t>(pixel / v.area() * v.image_stride + channel / v.block * v.block_stride +
                                 pixel % v.area() * v.block + channel % v.block);
    };
    const auto x = view(static_cast<const T*>(nullptr), s.height, s.width);
    const auto y = view(static_cast<T*>(nullptr), s.out_height, s.out_width);
    std::vector<double> blocked(static_cast<size_t>(s.n * x.image_stride));
    for (int64_t pixel = 0; pixel < s.n * x.area(); ++pixel)
      for (int64_t channel = 0; channel < s.channels; ++channel)
        blocked[place(x, pixel, channel)] = c.x[static_cast<size_t>(pixel * s.channels + channel)];
    const std::vector<Stored<T>> from = stored<T>(blocked);
    const std::vector<Computed<T>> grid = computed_values<T>(c.grid);
    std::vector<Stored<T>> to(static_cast<size_t>(s.n * y.image_stride));
    grid_sample_cpu<T>(view(reinterpret_cast<const T*>(from.data()), s.height, s.width), grid.data(), how,
                       view(reinterpret_cast<T*>(to.data()), s.out_height, s.out_width));
    const std::vector<double> result = doubles<T>(to);
    std::vector<double> out;
    for (int64_t pixel = 0; pixel < s.places(); ++pixel)
      for (int64_t channel = 0; channel < s.channels; ++channel)
        out.push_back(result[place(y, pixel, channel)]);
    return out;
  }
};

template <class T, class Device>
void equals_the_reference(const Device& device) {
  for (const Shape& shape : awkward_shapes())
    for (const GridSample& how : all_rules()) {
      const Case c = random_case(shape);
      const std::vector<double> want = reference<T>(c, how), got = device.template sample<T>(c, how);
      ASSERT_EQ(got.size(), want.size());
      for (size_t i = 0; i < want.size(); ++i)
        ASSERT_NEAR(got[i], want[i], allowed<T>(want[i]))
            << i << " of " << shape.height << " x " << shape.width << " x " << shape.channels << ", rule "
            << static_cast<int>(how.interpolation) << static_cast<int>(how.padding) << how.align_corners;
    }
}

// Cells 1 2 3 4 5 6, read at those positions counted in cells.
template <class Device>
std::vector<double> read_six(const Device& device, const GridSample& how, const std::vector<double>& cells) {
  Case c = {{1, 1, 1, 6, 1, static_cast<int64_t>(cells.size())}, {1, 2, 3, 4, 5, 6}, {}};
  for (double at : cells) {
    c.grid.push_back(how.align_corners ? at / 2.5 - 1 : (2 * at + 1) / 6 - 1);
    c.grid.push_back(0);
  }
  return device.template sample<double>(c, how);
}

template <class Device>
void takes_the_even_one_of_two_nearest(const Device& device) {
  const std::vector<double> cells = {0.5, 1.5, 2.5, 4.5, -0.5, 5.5};
  EXPECT_EQ(read_six(device, {Interpolation::Nearest, SamplePadding::Zeros, false}, cells),
            (std::vector<double>{1, 3, 3, 5, 1, 0}));
}

// As torch 1.13 has it, but for Bilinear with Zeros.
template <class Device>
void knows_what_is_not_finite(const Device& device) {
  const double infinity = std::numeric_limits<double>::infinity(),
               nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> places = {nan, infinity, -infinity, 1e300, -1e300, 1e10};
  for (const GridSample& how : all_rules()) {
    const std::vector<double> got = read_six(device, how, places);
    for (size_t i = 0; i < places.size(); ++i) {
      const bool finite = std::isfinite(places[i]);
      const auto is = [&](double want) { EXPECT_EQ(got[i], want) << places[i]; };
      if (how.interpolation == Interpolation::Bicubic && !finite)
        EXPECT_TRUE(std::isnan(got[i])) << places[i];
      else if (how.padding == SamplePadding::Zeros)
        is(0);
      else if (std::isnan(places[i]) || (how.padding == SamplePadding::Reflection && !finite))
        is(1);
      else if (how.padding == SamplePadding::Border)
        EXPECT_NEAR(got[i], places[i] > 0 ? 6 : 1, 1e-12);
      else
        EXPECT_TRUE(got[i] >= 0.5 && got[i] <= 6.5) << places[i] << " reads " << got[i];
    }
  }
}

}  // namespace tyto::kernels::sampling

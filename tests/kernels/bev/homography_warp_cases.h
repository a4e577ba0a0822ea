// Homography warp: the definition in double, and what both devices are asked.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/bev/homography_warp.h"
#include "kernels/image/grid_sample_cases.h"

namespace tyto::kernels::warping {

using sampling::Shape;

struct Case {
  Shape shape;  // channels last, both
  std::vector<double> x, homographies;
  int64_t count = 1;
};

struct OnCpu {
  template <class T>
  std::vector<double> warp(const Case& c, const HomographyWarp& rule) const {
    const Shape& s = c.shape;
    const std::vector<Stored<T>> x = stored<T>(c.x);
    const std::vector<Computed<T>> homographies = sampling::computed_values<T>(c.homographies);
    std::vector<Stored<T>> y(static_cast<size_t>(s.outputs()));
    const auto view = [&]<class E>(E* data, int64_t height, int64_t width) {
      return ChannelBlocks<E>{
          data, s.n, s.channels, height, width, s.channels, height * width * s.channels, int64_t{0}};
    };
    homography_warp_cpu<T>(view(reinterpret_cast<const T*>(x.data()), s.height, s.width), homographies.data(),
                           c.count, rule, view(reinterpret_cast<T*>(y.data()), s.out_height, s.out_width));
    return doubles<T>(y);
  }
};

inline std::vector<WarpCoordinates> all_coordinates() {
  return {WarpCoordinates::Pixels, WarpCoordinates::Corners, WarpCoordinates::Edges,
          WarpCoordinates::Cam2Bev};
}

// A turn, a move and some perspective: w from 1/2 to 3/2, places within and around the image.
inline Case random_case(const Shape& s, WarpCoordinates coordinates, int64_t count) {
  Case c = {s, sampling::normal_values(s.inputs(), 5), {}, count};
  for (int64_t k = 0; k < count; ++k) {
    const double angle = 0.3 + 2 * static_cast<double>(k), cosine = std::cos(angle), sine = std::sin(angle);
    const bool pixels = coordinates == WarpCoordinates::Pixels;
    const auto h = static_cast<double>(s.height), w = static_cast<double>(s.width),
               oh = static_cast<double>(s.out_height), ow = static_cast<double>(s.out_width);
    const double to[2] = {pixels ? w / 2 : 1, pixels ? h / 2 : 1},
                 per[2] = {pixels ? 2 / ow : 1, pixels ? 2 / oh : 1}, back = pixels ? -1 : 0,
                 move = pixels ? 1 : 0;
    // From the result to -1 .. 1, turned, and to the image.
    const double rows[3][3] = {
        {1.3 * cosine, -1.1 * sine, 0.1}, {1.1 * sine, 1.2 * cosine, -0.2}, {0.2, 0.3, 1}};
    double m[3][3];
    for (int i = 0; i < 3; ++i) {
      m[i][0] = rows[i][0] * per[0];
      m[i][1] = rows[i][1] * per[1];
      m[i][2] = rows[i][2] + back * (rows[i][0] + rows[i][1]);
    }
    for (int i = 0; i < 2; ++i)
      for (int j = 0; j < 3; ++j)
        c.homographies.push_back(static_cast<float>(to[i] * (m[i][j] + move * m[2][j])));
    for (int j = 0; j < 3; ++j) c.homographies.push_back(static_cast<float>(m[2][j]));
  }
  return c;
}

struct Sampled {
  double value;
  bool certain;  // no nearest cell changes within a float's error
};

// The published sampler: unit coordinates to pixels without half of one, integer parts toward zero, indices
// clamped, weights of what was clamped (bev.md 3.1).
template <class At>
double clamped_sample(double y, double x, int64_t height, int64_t width, const At& at) {
  if (!std::isfinite(x) || !std::isfinite(y)) return 0;
  y = (y + 1) / 2 * static_cast<double>(height);
  x = (x + 1) / 2 * static_cast<double>(width);
  const auto clamp = [](int64_t i, int64_t size) { return std::min(std::max(i, int64_t{0}), size - 1); };
  const int64_t x0 = clamp(static_cast<int64_t>(x), width), x1 = clamp(static_cast<int64_t>(x) + 1, width),
                y0 = clamp(static_cast<int64_t>(y), height), y1 = clamp(static_cast<int64_t>(y) + 1, height);
  const auto fx0 = static_cast<double>(x0), fx1 = static_cast<double>(x1), fy0 = static_cast<double>(y0),
             fy1 = static_cast<double>(y1);
  return (fx1 - x) * (fy1 - y) * at(y0, x0) + (fx1 - x) * (y - fy0) * at(y1, x0) +
         (x - fx0) * (fy1 - y) * at(y0, x1) + (x - fx0) * (y - fy0) * at(y1, x1);
}

template <class At>
Sampled reference_pixel(const double* h, const HomographyWarp& warp, const Shape& s, int64_t row,
                        int64_t column, const At& at) {
  const auto input = [&](int64_t i, int64_t size) {
    const auto p = static_cast<double>(i), n = static_cast<double>(size);
    switch (warp.coordinates) {
      case WarpCoordinates::Pixels:
        return p;
      case WarpCoordinates::Edges:
        return (2 * p + 1) / n - 1;
      case WarpCoordinates::Corners:
        return size == 1 ? 0 : 2 * p / (n - 1) - 1;
      default:
        return size == 1 ? -1 : 2 * p / (n - 1) - 1;
    }
  };
  const double u = input(column, s.out_width), v = input(row, s.out_height);
  const double w = h[6] * u + h[7] * v + h[8];
  double x = (h[0] * u + h[1] * v + h[2]) / w, y = (h[3] * u + h[4] * v + h[5]) / w;
  if (warp.in_front_only && !(w > 0)) return {0, true};
  if (warp.coordinates == WarpCoordinates::Cam2Bev)
    return {clamped_sample(y, x, s.height, s.width, at), true};
  const bool corners = warp.coordinates != WarpCoordinates::Edges;
  if (warp.coordinates != WarpCoordinates::Pixels) {
    x = sampling::position<double>(x, s.width, corners);
    y = sampling::position<double>(y, s.height, corners);
  }
  const auto far_from_half = [](double p) { return std::abs(p - std::floor(p) - 0.5) > 1e-4; };
  return {sampling::interpolated(y, x, s.height, s.width, {warp.interpolation, warp.padding, corners}, at),
          warp.interpolation != Interpolation::Nearest || (far_from_half(x) && far_from_half(y))};
}

template <class T, class Device>
void equals_the_reference(const Device& device, const Case& c, const HomographyWarp& warp) {
  const Shape& s = c.shape;
  const std::vector<double> x = as_stored<T>(c.x), got = device.template warp<T>(c, warp);
  ASSERT_EQ(static_cast<int64_t>(got.size()), s.outputs());
  // A place below 32 cells takes eight roundings, w being at least 1/2; see sampling::allowed.
  const double places = 2 * 2 * 8 * 32 * 16;
  for (int64_t i = 0; i < s.outputs(); ++i) {
    const int64_t channel = i % s.channels, pixel = i / s.channels, column = pixel % s.out_width,
                  row = pixel / s.out_width % s.out_height, image = pixel / s.out_width / s.out_height;
    const Sampled want = reference_pixel(
        c.homographies.data() + 9 * (image % c.count), warp, s, row, column, [&](int64_t r, int64_t k) {
          return x[static_cast<size_t>(((image * s.height + r) * s.width + k) * s.channels + channel)];
        });
    if (!want.certain) continue;
    ASSERT_NEAR(got[static_cast<size_t>(i)], want.value,
                places * kRounding<Computed<T>> + sampling::allowed<T>(want.value))
        << row << ", " << column << " by coordinates " << static_cast<int>(warp.coordinates) << ", "
        << static_cast<int>(warp.interpolation) << static_cast<int>(warp.padding);
  }
}

inline std::vector<HomographyWarp> all_rules() {
  std::vector<HomographyWarp> all;
  for (WarpCoordinates coordinates : all_coordinates())
    for (auto interpolation : {Interpolation::Nearest, Interpolation::Bilinear, Interpolation::Bicubic})
      for (auto padding : {SamplePadding::Zeros, SamplePadding::Border, SamplePadding::Reflection})
        if (coordinates != WarpCoordinates::Cam2Bev ||
            (interpolation == Interpolation::Bicubic && padding == SamplePadding::Border))
          all.push_back({coordinates, interpolation, padding});
  return all;
}

template <class T, class Device>
void equals_the_reference(const Device& device) {
  for (const Shape& shape : sampling::awkward_shapes())
    for (const HomographyWarp& warp : all_rules())
      equals_the_reference<T>(device, random_case(shape, warp.coordinates, shape.n > 1 ? 2 : 1), warp);
}

// Two images, then two again: of each pair the second is turned upside down.
template <class Device>
void a_rigs_homographies_serve_all_samples(const Device& device) {
  const Case c = {{4, 1, 2, 1, 2, 1},
                  {1, 2, 3, 4, 5, 6, 7, 8},
                  {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, -1, 1, 0, 0, 1},
                  2};
  EXPECT_EQ(device.template warp<double>(c, {}), (std::vector<double>{1, 2, 4, 3, 5, 6, 8, 7}));
}

// w = column - 1: behind, at the horizon, in front.
template <class Device>
void what_lies_behind_is_hidden_on_request(const Device& device) {
  const Case c = {{1, 1, 1, 3, 1, 3}, {1, 2, 3}, {1, 0, -1, 0, 0, 0, 1, 0, -1}, 1};
  EXPECT_EQ(device.template warp<double>(c, {}), (std::vector<double>{2, 0, 2}));
  for (auto padding : {SamplePadding::Zeros, SamplePadding::Border})
    EXPECT_EQ(device.template warp<double>(c, {.padding = padding, .in_front_only = true}),
              (std::vector<double>{0, 0, 2}));
}

// Cells 1 2 4 8 at x = -1.5, -0.5, 1/4, 2.75, 3, 3.5: beyond, extrapolated, between, between, nothing,
// nothing.
template <class Device>
void cam2bev_extrapolates_before_the_image_and_loses_its_last_column(const Device& device) {
  const auto at = [&](double x) {
    const Case c = {{1, 1, 4, 4, 1, 1},
                    {1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8},
                    {0, 0, x / 2 - 1, 0, 0, 0, 0, 0, 1},
                    1};
    return device.template warp<double>(c, {.coordinates = WarpCoordinates::Cam2Bev})[0];
  };
  EXPECT_EQ(at(-1.5), 0);
  EXPECT_EQ(at(-0.5), 0.5);
  EXPECT_EQ(at(0.25), 1.25);
  EXPECT_EQ(at(2.75), 7);
  EXPECT_EQ(at(3), 0);
  EXPECT_EQ(at(3.5), 0);
}

}  // namespace tyto::kernels::warping

// Projection gather: the definition in double, and what both devices are asked.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/bev/projection_gather.h"
#include "kernels/losses/stored_values.h"

namespace tyto::kernels::gathering {

struct Case {
  int64_t samples = 1, cameras = 1, height = 1, width = 1, channels = 1, points = 0;
  int64_t pixel_padding = 0, row_padding = 0;  // elements between pixels, between rows
  bool shared = true;
  std::vector<double> intrinsics = {}, camera_to_grid = {}, augmentation = {};  // augmentation may be empty
  std::vector<double> places = {};                                              // [samples or 1, points, 3]
  std::vector<double> maps = {};     // [samples * cameras, height, width, channels + padding]
  std::vector<double> weights = {};  // [samples, points, cameras], or empty
  ProjectionGather rule = {};

  int64_t pixel_stride() const { return channels + pixel_padding; }
  int64_t row_stride() const { return channels + row_padding; }
};

struct Result {
  std::vector<double> rows;  // [samples, points, row_stride]; between rows what was there before
  std::vector<uint64_t> seen;
};
inline constexpr double kUntouched = 7;

template <class M>
struct OnCpu {
  template <class T>
  Result gather(const Case& c) const {
    using C = Computed<T>;
    const auto matrices = [](const std::vector<double>& v) { return std::vector<M>(v.begin(), v.end()); };
    const std::vector<M> k = matrices(c.intrinsics), pose = matrices(c.camera_to_grid),
                         a = matrices(c.augmentation);
    const std::vector<Stored<T>> maps = stored<T>(c.maps), weights = stored<T>(c.weights);
    const std::vector<C> places(c.places.begin(), c.places.end());
    const int64_t rows = c.samples * c.points;
    std::vector<Stored<T>> out =
        stored<T>(std::vector<double>(static_cast<size_t>(rows * c.row_stride()), kUntouched));
    std::vector<uint64_t> seen(static_cast<size_t>(rows));
    std::vector<char> workspace(
        static_cast<size_t>(projection_gather_cpu_workspace<T>(c.samples, c.cameras)));
    projection_gather_cpu<T, M>({k.data(), pose.data(), a.empty() ? nullptr : a.data(), c.samples, c.cameras},
                                {reinterpret_cast<const T*>(maps.data()), c.pixel_stride(), c.samples,
                                 c.cameras, c.height, c.width, c.channels},
                                {places.data(), c.points, c.shared},
                                weights.empty() ? nullptr : reinterpret_cast<const T*>(weights.data()),
                                c.rule, {reinterpret_cast<T*>(out.data()), c.row_stride(), seen.data()},
                                workspace.data());
    return {doubles<T>(out), seen};
  }
};

// A rig that looks around from near the origin, its images 64 x 40 behind an augmentation, and points around
// it.
inline Case random_case(int64_t samples, int64_t cameras, int64_t channels, int64_t points,
                        uint32_t seed = 1) {
  Case c = {samples, cameras, 5, 8, channels, points};
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  const auto stored_as_float = [](double v) { return static_cast<double>(static_cast<float>(v)); };
  for (int64_t k = 0; k < samples * cameras; ++k) {
    const double yaw = 6.3 * static_cast<double>(k) / static_cast<double>(cameras) + 0.1 * normal(random);
    const double f = 55 + 3 * normal(random), sine = std::sin(yaw), cosine = std::cos(yaw);
    for (double v : {f, 0.2, 63.0, 0.0, f + 1, 41.0, 0.0, 0.0, 1.0})
      c.intrinsics.push_back(stored_as_float(v));
    // x right, y down, z ahead of the camera; x forward, y left, z up of the grid.
    const double t[3] = {normal(random), normal(random), 0.3 * normal(random)};
    for (double v :
         {sine, 0.0, cosine, t[0], -cosine, 0.0, sine, t[1], 0.0, -1.0, 0.0, t[2], 0.0, 0.0, 0.0, 1.0})
      c.camera_to_grid.push_back(stored_as_float(v));
    for (double v : {0.5, 0.03, 1.0, -0.02, 0.5, -2.0, 0.0, 0.0, 1.0})
      c.augmentation.push_back(stored_as_float(v));
  }
  for (int64_t i = 0; i < points; ++i) {
    c.places.push_back(stored_as_float(9 * normal(random)));
    c.places.push_back(stored_as_float(9 * normal(random)));
    c.places.push_back(stored_as_float(2 * normal(random)));
  }
  for (int64_t i = 0; i < samples * cameras * c.height * c.width * channels; ++i)
    c.maps.push_back(normal(random));
  c.rule.image_height = 40;
  c.rule.image_width = 64;
  c.rule.cell = cells_by_edges(40, 64, c.height, c.width);
  return c;
}

// Fast-BEV: cells by torch's round(), those on the map, later cameras over earlier ones (bev.md 2.8).
inline ProjectionGather fast_bev() {
  return {.sampling = GatherSampling::NearestEven,
          .reduction = GatherReduction::Last,
          .bounds = ImageBounds::NearestCell,
          .cell = strided_cells(8)};
}
inline ProjectionGather m2bev() {
  ProjectionGather rule = fast_bev();
  rule.reduction = GatherReduction::Mean;
  return rule;
}
// (bev.md 3.2), (5).
inline ProjectionGather vector_map_net() {
  return {.bounds = ImageBounds::Open,
          .image_height = 40,
          .image_width = 64,
          .least_depth = 1e-9,
          .pixel_shift = 1e-9,
          .cell = cells_by_edges(40, 64, 5, 8)};
}
inline ProjectionGather detr3d() {
  return {.reduction = GatherReduction::Weights,
          .bounds = ImageBounds::Open,
          .image_height = 40,
          .image_width = 64,
          .least_depth = 1e-5,
          .cell = cells_by_edges(40, 64, 5, 8)};
}

using Matrix = std::array<double, 9>;

inline Matrix product(const Matrix& a, const Matrix& b) {
  Matrix out = {};
  for (size_t i = 0; i < 9; ++i)
    for (size_t k = 0; k < 3; ++k) out[i] += a[i / 3 * 3 + k] * b[3 * k + i % 3];
  return out;
}

// What a camera sees of a point: its pixel and depth.
struct Sight {
  double u, v, depth;
};

inline Sight sight(const Case& c, int64_t camera, const double* place) {
  const auto matrix = [&](const std::vector<double>& all) {
    Matrix m;
    std::copy_n(all.begin() + 9 * camera, 9, m.begin());
    return m;
  };
  Matrix k = matrix(c.intrinsics);
  if (!c.augmentation.empty()) k = product(matrix(c.augmentation), k);
  const double* pose = c.camera_to_grid.data() + 16 * camera;
  double away[3], at[3] = {};
  for (int i = 0; i < 3; ++i) away[i] = place[i] - pose[4 * i + 3];
  // The cases' cameras turn by rotations rounded to float; the inverse is their transpose to 1e-7.
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) at[i] += pose[4 * j + i] * away[j];
  const double u = k[0] * at[0] + k[1] * at[1] + k[2] * at[2], v = k[3] * at[0] + k[4] * at[1] + k[5] * at[2];
  return {u / at[2], v / at[2], at[2]};
}

// A pixel on a map, as PyTorch programs write it.
struct MapPlace {
  bool seen;
  double row, column;
  double margin;  // how far, in pixels or cells, everything is from being otherwise
};

inline MapPlace map_place(const Case& c, const Sight& s) {
  const ProjectionGather& rule = c.rule;
  const double u = s.u + rule.pixel_shift, v = s.v + rule.pixel_shift;
  double x = u * rule.cell.scale_x + rule.cell.offset_x, y = v * rule.cell.scale_y + rule.cell.offset_y;
  double margin = std::abs(s.depth - rule.least_depth);
  if (rule.sampling != GatherSampling::Bilinear)
    for (double* at : {&x, &y}) {
      margin = std::min(margin, std::abs(*at - std::floor(*at) - 0.5));
      *at = rule.sampling == GatherSampling::NearestEven ? std::nearbyint(*at) : std::round(*at);
    }
  const auto both = [&](double a, double b, double high_a, double high_b, bool low_too, bool high_too) {
    margin = std::min({margin, std::abs(a), std::abs(b), std::abs(a - high_a), std::abs(b - high_b)});
    const auto in = [&](double p, double high) {
      return (low_too ? p >= 0 : p > 0) && (high_too ? p <= high : p < high);
    };
    return in(a, high_a) && in(b, high_b);
  };
  bool inside = true;
  const double width = rule.image_width, height = rule.image_height;
  if (rule.bounds == ImageBounds::Open) inside = both(u, v, width, height, false, false);
  if (rule.bounds == ImageBounds::HalfOpen) inside = both(u, v, width, height, true, false);
  if (rule.bounds == ImageBounds::Closed) inside = both(u, v, width, height, true, true);
  if (rule.bounds == ImageBounds::NearestCell)
    inside = x >= 0 && y >= 0 && x < static_cast<double>(c.width) && y < static_cast<double>(c.height);
  return {inside && s.depth > rule.least_depth, y, x, margin};
}

// grid_sample with zeros; a whole position is its cell.
template <class At>
double zero_padded(double y, double x, const Case& c, const At& at) {
  double sum = 0;
  for (int64_t row = 0; row < c.height; ++row)
    for (int64_t column = 0; column < c.width; ++column) {
      const double weight = std::max(0.0, 1 - std::abs(static_cast<double>(row) - y)) *
                            std::max(0.0, 1 - std::abs(static_cast<double>(column) - x));
      if (weight > 0) sum += weight * at(row, column);
    }
  return sum;
}

struct Wanted {
  Result result;
  std::vector<double> magnitude;  // of the terms of each row
  std::vector<bool> certain;      // of each row
};

template <class T>
Wanted reference(const Case& c) {
  const std::vector<double> maps = as_stored<T>(c.maps), weights = as_stored<T>(c.weights);
  Wanted want;
  const int64_t rows = c.samples * c.points;
  want.result.rows.assign(static_cast<size_t>(rows * c.row_stride()), kUntouched);
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t sample = row / c.points;
    const double* place = c.places.data() + 3 * (c.shared ? row % c.points : row);
    uint64_t seen = 0;
    bool certain = true;
    std::vector<MapPlace> at;
    for (int64_t k = 0; k < c.cameras; ++k) {
      const Sight s = sight(c, sample * c.cameras + k, place);
      at.push_back(map_place(c, s));
      if (at.back().seen) seen |= uint64_t{1} << k;
      // Where pixels are within reach.
      if (!(std::abs(s.u) > 1e4 || std::abs(s.v) > 1e4) && s.depth > -1)
        certain = certain && at.back().margin > 1e-3;
    }
    std::vector<int64_t> chosen;
    for (int64_t k = 0; k < c.cameras; ++k)
      if (at[static_cast<size_t>(k)].seen) chosen.push_back(k);
    double divisor = 1;
    if (!chosen.empty()) {
      switch (c.rule.reduction) {
        case GatherReduction::First:
          chosen = {chosen.front()};
          break;
        case GatherReduction::Last:
          chosen = {chosen.back()};
          break;
        case GatherReduction::Mean:
          divisor = static_cast<double>(chosen.size());
          break;
        default:
          break;
      }
    }
    double largest = 0;
    for (int64_t channel = 0; channel < c.channels; ++channel) {
      double sum = 0, magnitude = 0;
      for (int64_t k : chosen) {
        const MapPlace& p = at[static_cast<size_t>(k)];
        const double weight = c.rule.reduction == GatherReduction::Weights
                                  ? weights[static_cast<size_t>(row * c.cameras + k)]
                                  : 1;
        sum += weight * zero_padded(p.row, p.column, c, [&](int64_t y, int64_t x) {
                 const double v = maps[static_cast<size_t>(
                     (((sample * c.cameras + k) * c.height + y) * c.width + x) * c.pixel_stride() + channel)];
                 magnitude = std::max(magnitude, std::abs(v));
                 return v;
               });
        largest = std::max(largest,
                           magnitude * std::max(1.0, std::abs(weight)) * static_cast<double>(chosen.size()));
      }
      want.result.rows[static_cast<size_t>(row * c.row_stride() + channel)] = sum / divisor;
    }
    want.result.seen.push_back(seen);
    want.magnitude.push_back(largest);
    want.certain.push_back(certain);
  }
  return want;
}

// In float a pixel of a point nearer than 1 m is off by some 1e-3, of others by 1e-4 of a cell; that the
// rotations are of floats moves it by 1e-5 in double.
template <class T, class Device>
void equals_the_reference(const Device& device, const Case& c) {
  const Wanted want = reference<T>(c);
  const Result got = device.template gather<T>(c);
  ASSERT_EQ(got.rows.size(), want.result.rows.size());
  ASSERT_EQ(got.seen.size(), want.result.seen.size());
  size_t certain = 0;
  for (size_t row = 0; row < want.certain.size(); ++row) {
    certain += want.certain[row] ? 1 : 0;
    const auto stride = static_cast<size_t>(c.row_stride());
    for (auto k = static_cast<size_t>(c.channels); k < stride; ++k)
      ASSERT_EQ(got.rows[row * stride + k], kUntouched) << "behind row " << row;
    if (!want.certain[row]) continue;
    ASSERT_EQ(got.seen[row], want.result.seen[row]) << "point " << row;
    for (size_t k = 0; k < static_cast<size_t>(c.channels); ++k) {
      const double w = want.result.rows[row * stride + k];
      ASSERT_NEAR(got.rows[row * stride + k], w, 1e-3 * want.magnitude[row] + kRounding<T> * std::abs(w))
          << row << ", " << k;
    }
  }
  EXPECT_GE(certain, want.certain.size() * 9 / 10);
}

inline void set_weights(Case& c) {
  std::mt19937 random(3);
  c.weights.clear();
  for (int64_t i = 0; i < c.samples * c.points * c.cameras; ++i)
    c.weights.push_back(std::uniform_real_distribution<double>(-1, 1)(random));
}

// Every reduction, kind of sampling and bound; and what networks use.
inline std::vector<ProjectionGather> all_rules() {
  std::vector<ProjectionGather> all = {fast_bev(), m2bev(), vector_map_net(), detr3d()};
  ProjectionGather rule = vector_map_net();
  for (auto reduction : {GatherReduction::Sum, GatherReduction::First}) {
    rule.reduction = reduction;
    all.push_back(rule);
  }
  rule = vector_map_net();
  for (auto bounds : {ImageBounds::HalfOpen, ImageBounds::Closed, ImageBounds::Anywhere}) {
    rule.bounds = bounds;
    rule.cell = cells_by_corners(40, 64, 5, 8);
    all.push_back(rule);
  }
  rule = fast_bev();
  rule.sampling = GatherSampling::NearestAway;
  all.push_back(rule);
  return all;
}

template <class T, class Device>
void equals_the_reference(const Device& device) {
  for (const ProjectionGather& rule : all_rules()) {
    Case c = random_case(1, 6, 8, 70);
    c.rule = rule;
    if (rule.reduction == GatherReduction::Weights) set_weights(c);
    equals_the_reference<T>(device, c);
  }
}

// Samples of their own points, cameras, paddings, vectors' ends, no points, no augmentation.
template <class T, class Device>
void takes_every_shape(const Device& device) {
  for (const auto& [samples, cameras, channels, points] : std::vector<std::array<int64_t, 4>>{
           {1, 1, 1, 1}, {2, 3, 5, 33}, {3, 2, 41, 4}, {1, 64, 3, 5}, {1, 2, 264, 2}, {2, 2, 4, 0}}) {
    Case c = random_case(samples, cameras, channels, points, 7);
    c.rule = m2bev();
    if (cameras == 2) c.augmentation.clear();
    if (cameras == 2) c.rule.cell = strided_cells(16);
    equals_the_reference<T>(device, c);
    c.pixel_padding = 3;
    c.row_padding = 2;
    c.maps.resize(static_cast<size_t>(samples * cameras * c.height * c.width * c.pixel_stride()), 0.5);
    c.shared = false;
    std::vector<double> of_one = c.places;
    for (int64_t s = 1; s < samples; ++s)
      for (double v : of_one) c.places.push_back(v + 1);
    equals_the_reference<T>(device, c);
  }
}

// One camera at the origin that looks along x and has focal length 1 and points at a depth of 1: (u, v) is
// (-y, -z). Its map is 4 x 4 cells 0 .. 15.
inline Case plane_case(const std::vector<double>& u, const ProjectionGather& rule) {
  Case c = {1, 1, 4, 4, 1, static_cast<int64_t>(u.size())};
  c.intrinsics = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  c.camera_to_grid = {0, 0, 1, 0, -1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0, 1};
  for (double at : u) c.places.insert(c.places.end(), {1, -at, -1});
  for (int v = 0; v < 16; ++v) c.maps.push_back(v);
  c.rule = rule;
  return c;
}

template <class Device>
void bounds_are_what_they_say(const Device& device) {
  const double tiny = 1e-300;
  const auto seen = [&](ImageBounds bounds, const std::vector<double>& u) {
    Case c = plane_case(
        u, {.sampling = GatherSampling::NearestAway, .bounds = bounds, .image_height = 3, .image_width = 3});
    return device.template gather<double>(c).seen;
  };
  using Seen = std::vector<uint64_t>;
  const std::vector<double> u = {-tiny, 0, tiny, 3 - 1e-15, 3, 3 + 1e-15};
  EXPECT_EQ(seen(ImageBounds::Open, u), (Seen{0, 0, 1, 1, 0, 0}));
  EXPECT_EQ(seen(ImageBounds::HalfOpen, u), (Seen{0, 1, 1, 1, 0, 0}));
  EXPECT_EQ(seen(ImageBounds::Closed, u), (Seen{0, 1, 1, 1, 1, 0}));
  EXPECT_EQ(seen(ImageBounds::Anywhere, u), (Seen{1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(seen(ImageBounds::NearestCell, {-0.6, -0.5, -0.4, 3.4, 3.5, 3.6}), (Seen{0, 0, 1, 1, 0, 0}));
}

template <class Device>
void halves_go_to_the_even_cell_or_away(const Device& device) {
  const auto cells = [&](GatherSampling sampling) {
    const Case c =
        plane_case({-0.5, 0.5, 1.5, 2.5, 3.5}, {.sampling = sampling, .bounds = ImageBounds::NearestCell});
    return device.template gather<double>(c).rows;
  };
  EXPECT_EQ(cells(GatherSampling::NearestEven), (std::vector<double>{4, 4, 6, 6, 0}));
  EXPECT_EQ(cells(GatherSampling::NearestAway), (std::vector<double>{0, 5, 6, 7, 0}));
}

// Depths: not above the least, not finite in one of three ways.
template <class Device>
void sees_nothing_that_is_behind_or_nowhere(const Device& device) {
  Case c = plane_case({1, 1, 1, 1, 1}, {.bounds = ImageBounds::Anywhere, .least_depth = 1});
  const double infinity = std::numeric_limits<double>::infinity();
  c.places = {1, -1, -1, -3, -1, -1, infinity, -1, -1, std::nan(""), -1, -1, 2, -infinity, -1};
  const Result got = device.template gather<double>(c);
  EXPECT_EQ(got.seen, std::vector<uint64_t>(5, 0));
  EXPECT_EQ(got.rows, std::vector<double>(5, 0));
}

}  // namespace tyto::kernels::gathering

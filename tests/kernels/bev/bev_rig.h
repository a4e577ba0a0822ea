// The nuScenes rig of six cameras, and the eight cases of frustum and grid whose counts are known for it:
// for tests and benchmarks.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/bev/bev_index.h"

namespace tyto::kernels::bev_rig {

struct Camera {
  const char* name;
  double focal, center[2];  // pixels of 1600 x 900
  double quaternion[4];     // w, x, y, z: camera to ego, of about length 1
  double translation[3];    // metres: x forward, y left, z up
};

// As printed, to six digits; in the order of Lift-Splat-Shoot.
inline constexpr Camera kCameras[6] = {
    {"CAM_FRONT_LEFT",
     1272.598,
     {826.615, 479.752},
     {.675727, -.673627, .212140, -.211228},
     {1.5239, .4946, 1.5093}},
    {"CAM_FRONT",
     1266.417,
     {816.267, 491.507},
     {.499802, -.503032, .499780, -.497371},
     {1.7008, .0159, 1.5110}},
    {"CAM_FRONT_RIGHT",
     1260.847,
     {807.968, 495.334},
     {.206035, -.202694, .682451, -.671361},
     {1.5508, -.4934, 1.4957}},
    {"CAM_BACK_LEFT",
     1256.741,
     {792.113, 492.776},
     {.692419, -.703162, -.116483, .112033},
     {1.0357, .4848, 1.5910}},
    {"CAM_BACK", 809.221, {829.220, 481.778}, {.503787, -.497402, -.494185, .504550}, {.0283, .0035, 1.5791}},
    {"CAM_BACK_RIGHT",
     1259.514,
     {807.253, 501.196},
     {.122810, -.132401, -.700431, .690496},
     {1.0149, -.4806, 1.5624}},
};
inline constexpr double kLidarQuaternion[4] = {.707796, -.006492, .010646, -.706307};
inline constexpr double kLidarTranslation[3] = {.943713, 0, 1.84023};

using Matrix4 = std::array<double, 16>;

// The quaternion is normalised.
inline Matrix4 pose(const double (&quaternion)[4], const double (&translation)[3]) {
  double length = 0;
  for (double q : quaternion) length += q * q;
  length = std::sqrt(length);
  const double w = quaternion[0] / length, x = quaternion[1] / length, y = quaternion[2] / length,
               z = quaternion[3] / length;
  const double x_axis[3] = {1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)};
  const double y_axis[3] = {2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)};
  const double z_axis[3] = {2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)};
  Matrix4 out{};
  for (int row = 0; row < 3; ++row) {
    out[4 * row] = x_axis[row], out[4 * row + 1] = y_axis[row], out[4 * row + 2] = z_axis[row];
    out[4 * row + 3] = translation[row];
  }
  out[15] = 1;
  return out;
}

inline Matrix4 multiply(const Matrix4& a, const Matrix4& b) {
  Matrix4 out{};
  for (int row = 0; row < 4; ++row)
    for (int column = 0; column < 4; ++column)
      for (int i = 0; i < 4; ++i) out[4 * row + column] += a[4 * row + i] * b[4 * i + column];
  return out;
}

inline Matrix4 inverse_pose(const Matrix4& m) {
  Matrix4 out{};
  for (int row = 0; row < 3; ++row) {
    for (int column = 0; column < 3; ++column) {
      out[4 * row + column] = m[4 * column + row];
      out[4 * row + 3] -= m[4 * column + row] * m[4 * column + 3];
    }
  }
  out[15] = 1;
  return out;
}

inline Matrix4 lidar_to_ego() { return pose(kLidarQuaternion, kLidarTranslation); }

// Matrices of one sample.
template <class M>
struct Matrices {
  std::vector<M> intrinsics, camera_to_grid, image_augmentation;

  CameraMatrices<M> view() const {
    return {intrinsics.data(), camera_to_grid.data(), image_augmentation.data(), 1,
            static_cast<int64_t>(intrinsics.size() / 9)};
  }
};

struct BevCase {
  Frustum frustum;
  BevGrid grid;
  int64_t channels;
  bool in_lidar_frame;
  double resize, crop[2];  // a pixel of the network's input: resize * camera's pixel - crop (x, y)

  BevIndexing indexing() const { return {frustum, grid}; }

  template <class M>
  Matrices<M> matrices() const {
    Matrices<M> out;
    for (const Camera& c : kCameras) {
      Matrix4 to_grid = pose(c.quaternion, c.translation);
      if (in_lidar_frame) to_grid = multiply(inverse_pose(lidar_to_ego()), to_grid);
      for (double v : {c.focal, 0., c.center[0], 0., c.focal, c.center[1], 0., 0., 1.})
        out.intrinsics.push_back(static_cast<M>(v));
      for (double v : to_grid) out.camera_to_grid.push_back(static_cast<M>(v));
      for (double v : {resize, 0., -crop[0], 0., resize, -crop[1], 0., 0., 1.})
        out.image_augmentation.push_back(static_cast<M>(v));
    }
    return out;
  }
};

inline BevGrid square_grid(double half, double step, double bottom, double top, GridAxes axes) {
  const int cells = static_cast<int>(std::lround(2 * half / step));
  return {{-half, -half, bottom}, {step, step, top - bottom}, {cells, cells, 1}, axes};
}

// "B1" (Lift-Splat-Shoot) to "B8".
inline BevCase bev_case(std::string_view name) {
  const auto frustum = [](int stride, int height, int width, int bins, double first, double step) {
    return Frustum{stride * height, stride * width, height, width, bins, first, step};
  };
  const BevGrid lss = square_grid(50, 0.5, -10, 10, GridAxes::XY);
  const BevGrid detection = square_grid(54, 0.3, -10, 10, GridAxes::XY);
  const BevGrid segmentation = square_grid(51.2, 0.4, -10, 10, GridAxes::XY);
  const BevGrid bevdet = square_grid(51.2, 0.8, -5, 3, GridAxes::YX);
  const struct {
    const char* name;
    BevCase bev;
  } cases[] = {
      {"B1", {frustum(16, 8, 22, 41, 4, 1), lss, 64, false, .22, {0, 48}}},
      {"B2", {frustum(16, 16, 44, 59, 1, 1), bevdet, 64, false, .44, {0, 140}}},
      {"B3", {frustum(16, 16, 44, 112, 2, 0.5), bevdet, 80, false, .44, {0, 140}}},
      {"B4", {frustum(8, 32, 88, 118, 1, 0.5), detection, 80, true, .48, {32, 176}}},
      {"B5", {frustum(8, 32, 88, 118, 1, 0.5), segmentation, 80, true, .48, {32, 176}}},
      {"B6", {frustum(16, 40, 110, 59, 1, 1), bevdet, 64, false, 1.1, {0, 350}}},
      {"B7", {frustum(16, 40, 110, 118, 1, 0.5), bevdet, 64, false, 1.1, {0, 350}}},
      {"B8", {frustum(16, 16, 44, 118, 1, 0.5), bevdet, 64, false, .44, {0, 140}}},
  };
  for (const auto& c : cases)
    if (name == c.name) return c.bev;
  throw std::invalid_argument("there is no case " + std::string(name));
}

// Of bev.md 2.9, in double; a cell's mean is kept / cells.
struct Counts {
  int64_t points, kept, cells;  // cells: those that have points
  int64_t p99, most;            // points of a cell; p99: sorted[floor(0.99 * cells)]
  int64_t runs;
  bool operator==(const Counts&) const = default;
};

inline constexpr Counts kCounts[8] = {
    {43'296, 42'162, 7'268, 16, 32, 7'652},
    {249'216, 179'322, 11'431, 96, 464, 16'440},
    {473'088, 346'348, 13'192, 156, 368, 31'842},
    {1'993'728, 1'833'767, 96'821, 106, 887, 136'333},
    {1'993'728, 1'762'506, 60'071, 159, 1181, 110'369},
    {1'557'600, 1'139'885, 15'411, 486, 3000, 41'577},
    {3'115'200, 2'269'084, 15'946, 926, 3951, 82'719},
    {498'432, 356'758, 13'360, 160, 620, 32'685},
};

}  // namespace tyto::kernels::bev_rig

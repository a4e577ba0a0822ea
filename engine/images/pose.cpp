#include "engine/images/pose.h"

#include <cmath>

#include "tyto/error.h"

namespace tyto {
namespace {

template <size_t kSize>
auto product(const auto& a, const auto& b) {
  std::remove_cvref_t<decltype(a)> out = {};
  for (size_t row = 0; row < kSize; ++row)
    for (size_t column = 0; column < kSize; ++column)
      for (size_t k = 0; k < kSize; ++k)
        out[row * kSize + column] += a[row * kSize + k] * b[k * kSize + column];
  return out;
}

}  // namespace

Matrix4 pose_of(const std::array<double, 4>& quaternion, const std::array<double, 3>& translation) {
  double length = 0;
  for (const double q : quaternion) length += q * q;
  length = std::sqrt(length);
  if (!std::isfinite(length) || length == 0)
    throw Error(ErrorKind::Format, "a rotation is no quaternion: its length is 0 or not finite");
  const double w = quaternion[0] / length, x = quaternion[1] / length, y = quaternion[2] / length,
               z = quaternion[3] / length;
  return {1 - 2 * (y * y + z * z),
          2 * (x * y - w * z),
          2 * (x * z + w * y),
          translation[0],
          2 * (x * y + w * z),
          1 - 2 * (x * x + z * z),
          2 * (y * z - w * x),
          translation[1],
          2 * (x * z - w * y),
          2 * (y * z + w * x),
          1 - 2 * (x * x + y * y),
          translation[2],
          0,
          0,
          0,
          1};
}

Matrix4 multiply(const Matrix4& a, const Matrix4& b) { return product<4>(a, b); }
Matrix3 multiply(const Matrix3& a, const Matrix3& b) { return product<3>(a, b); }

Matrix4 inverse_pose(const Matrix4& pose) {
  Matrix4 out = kIdentity4;
  for (size_t row = 0; row < 3; ++row)
    for (size_t column = 0; column < 3; ++column) {
      out[4 * row + column] = pose[4 * column + row];
      out[4 * row + 3] -= pose[4 * column + row] * pose[4 * column + 3];
    }
  return out;
}

std::array<double, 3> transform(const Matrix4& pose, const std::array<double, 3>& point) {
  std::array<double, 3> out;
  for (size_t row = 0; row < 3; ++row)
    out[row] = pose[4 * row] * point[0] + pose[4 * row + 1] * point[1] + pose[4 * row + 2] * point[2] +
               pose[4 * row + 3];
  return out;
}

}  // namespace tyto

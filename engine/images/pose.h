// Rigid motions, as data sets give them: a quaternion and a translation, from one frame to another.
#pragma once

#include <array>

#include "tyto/bev_segmenter.h"

namespace tyto {

// w, x, y, z; of any length but 0. Error{Format} for one that is 0 or not finite.
Matrix4 pose_of(const std::array<double, 4>& quaternion, const std::array<double, 3>& translation);
Matrix4 multiply(const Matrix4& a, const Matrix4& b);
Matrix3 multiply(const Matrix3& a, const Matrix3& b);
Matrix4 inverse_pose(const Matrix4& pose);  // of a rotation and a translation
std::array<double, 3> transform(const Matrix4& pose, const std::array<double, 3>& point);

}  // namespace tyto

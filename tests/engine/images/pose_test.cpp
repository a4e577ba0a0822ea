#include "engine/images/pose.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tyto/error.h"

namespace tyto {
namespace {

constexpr double kHalf = 0.70710678118654752440;

TEST(Pose, OfAQuarterTurnAboutZTakesForwardToTheLeft) {
  const auto p = transform(pose_of({kHalf, 0, 0, kHalf}, {10, 20, 30}), {1, 0, 0});
  EXPECT_NEAR(p[0], 10, 1e-12);
  EXPECT_NEAR(p[1], 21, 1e-12);
  EXPECT_NEAR(p[2], 30, 1e-12);
}

TEST(Pose, DoesNotDependOnTheQuaternionsLength) {
  const std::array<double, 4> q = {0.707796, -0.006492, 0.010646, -0.706307};
  const Matrix4 once = pose_of(q, {1, 2, 3}),
                thrice = pose_of({3 * q[0], 3 * q[1], 3 * q[2], 3 * q[3]}, {1, 2, 3});
  for (size_t i = 0; i < 16; ++i) EXPECT_NEAR(once[i], thrice[i], 1e-15) << i;
}

TEST(Pose, TimesItsInverseIsTheIdentity) {
  const Matrix4 pose = pose_of({0.675727, -0.673627, 0.212140, -0.211228}, {1.5239, 0.4946, 1.5093});
  const Matrix4 one = multiply(pose, inverse_pose(pose));
  for (size_t i = 0; i < 16; ++i) EXPECT_NEAR(one[i], kIdentity4[i], 1e-15) << i;
}

TEST(Pose, ProductActsFromTheRight) {
  const Matrix4 turn = pose_of({kHalf, 0, 0, kHalf}, {0, 0, 0}), move = pose_of({1, 0, 0, 0}, {5, 0, 0});
  const auto p = transform(multiply(turn, move), {1, 0, 0});  // moved, then turned
  EXPECT_NEAR(p[0], 0, 1e-12);
  EXPECT_NEAR(p[1], 6, 1e-12);
}

TEST(Pose, RefusesAQuaternionThatTurnsNothing) {
  EXPECT_THROW(pose_of({0, 0, 0, 0}, {0, 0, 0}), Error);
  EXPECT_THROW(pose_of({std::nan(""), 0, 0, 1}, {0, 0, 0}), Error);
}

}  // namespace
}  // namespace tyto

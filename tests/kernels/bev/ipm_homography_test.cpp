// The numbers are those of the worked examples in the README of Cam2BEV's homography converter, and of the
// sampler homographies beside it (github.com/ika-rwth-aachen/Cam2BEV, MIT), for the rigs of its two data
// sets.
#include "kernels/bev/ipm_homography.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tyto::kernels {
namespace {

// Within `share` of the largest number of each row: rows are of different units.
void expect_near(const Homography& got, const Homography& want, double share) {
  for (size_t row = 0; row < 3; ++row) {
    double largest = 0;
    for (size_t k = 0; k < 3; ++k) largest = std::max(largest, std::abs(want[3 * row + k]));
    for (size_t k = 0; k < 3; ++k)
      EXPECT_NEAR(got[3 * row + k], want[3 * row + k], share * largest) << row << ", " << k;
  }
}

constexpr double kQuarter = std::numbers::pi / 2;

IpmCamera of_four(double yaw, double x, double y, double z) {
  return {278.283, 408.1295, 482, 302, yaw, 0, 0, {x, y, z}};
}

struct Worked {
  IpmCamera camera;
  Homography to_drone, sampler;
};

void expect_worked(const Worked& w, const IpmCamera& drone, ImageSize input, ImageSize output) {
  const Homography h = ipm_homography(w.camera, ground_picture_of(drone));
  expect_near(h, w.to_drone, 1e-13);
  const ImageSize network = {256, 512};
  // The published ones went through numbers rounded to float.
  expect_near(sampler_homography(resized_homography(h, input, output, network, network), network, network),
              w.sampler, 2e-6);
}

TEST(IpmHomography, IsTheWorkedOneOfARigOfFour) {
  const IpmCamera drone = {682.578, 682.578, 482, 302, 0, kQuarter, kQuarter, {0, 0, 50}};
  const Worked front = {
      of_four(0, 1.7, 0, 1.4),
      {0.0, 0.8841865353311344, -253.37277367000263, 0.049056392233805146, 0.5285437237795494,
       -183.265385638118, 0.0, 0.001750144780726984, -0.5285437237795492},
      {4.651574574230558e-14, 10.192351107009959, -5.36318723862984e-07, -5.588661045867985e-07, 0.0,
       2.3708767903941617, 35.30731833118676, 0.0, -1.7000018578614013}};
  const Worked rear = {
      of_four(2 * kQuarter, -0.6, 0, 1.4),
      {6.288911300436434e-18, 0.8292344604207404, -264.08036704706365, -0.04905639223380515,
       0.5285437237795513, -135.9750235247304, 0.0, 0.0017501447807269904, -0.5285437237795512},
      {-5.336674306912119e-14, -10.192351107009957, 5.363187220578325e-07, 5.588660952931949e-07,
       3.582264351370481e-23, 2.370876772982613, -35.30731833118661, -2.263156574813233e-15,
       -0.5999981421386035}};
  const Worked left = {
      of_four(kQuarter, 0.5, 0.5, 1.5),
      {0.04905639223380514, 0.7984814950483465, -264.7865925612947, 3.0038376863423275e-18,
       0.4821577791689496, -159.26320930902278, 0.0, 0.0016334684620118568, -0.49330747552758086},
      {20.38470221401992, 7.562206982469407e-14, -0.28867638384075833, -3.422067857504854e-23,
       2.794330463189411e-07, 2.540225111648729, 2.1619497190382224e-15, -17.65365916559334,
       -0.4999990710692976}};
  const Worked right = {
      of_four(-kQuarter, 0.5, -0.5, 1.5),
      {-0.04905639223380516, 0.7984814950483448, -217.49623044790604, 3.0038376863423283e-18,
       0.5044571718862112, -138.69450590963578, 0.0, 0.0016334684620118542, -0.49330747552758},
      {-20.38470221401991, -4.849709834037436e-15, 0.2886763838407495, -3.4220679184765114e-23,
       -2.794330512976549e-07, 2.5402251116487626, 2.161949719038217e-15, 17.653659165593304,
       -0.5000009289306967}};
  for (const Worked& w : {front, rear, left, right}) expect_worked(w, drone, {604, 964}, {604, 964});
}

TEST(IpmHomography, IsTheWorkedOneOfASingleCamera) {
  const IpmCamera drone = {3872, 3872, 968, 484, 0, kQuarter, kQuarter, {28.84452, 0, 100}};
  const Worked front = {
      {2166.108091, 2167.956694, 969.357789, 615.399164, 0, 0, 0, {1.84452, -0.096, 1.1273}},
      {-8.869343394420501e-18, -0.031686570310719885, 58.219888879244245, 0.017875377577360244,
       0.1995620198169141, -140.13793664741047, 0.0, 0.0004091757529793379, -0.25180641631255507},
      {0.03506686613905922, 27.971438297785962, -0.17694724954191404, 0.3821882391578238,
       9.481642330993019e-17, 5.46222110929461, 25.000001047737943, 6.202207287472715e-15,
       27.000001047737943}};
  expect_worked(front, drone, {1216, 1936}, {968, 1936});
}

// Positive angles, one at a time: the ground ahead of a camera that looks down is nearer.
TEST(IpmHomography, TurnsByThreeAngles) {
  const GroundPicture ground = ground_picture(20, 40, 20);
  EXPECT_EQ(ground.width, 400);
  EXPECT_EQ(ground.height, 800);
  const auto metres = [&](double yaw, double pitch, double roll, double u, double v) {
    const Homography h = ipm_homography({100, 100, 0, 0, yaw, pitch, roll, {0, 0, 2}}, ground);
    const double w = h[6] * u + h[7] * v + h[8];
    return std::array{((h[0] * u + h[1] * v + h[2]) / w - 200) / 20,
                      (400 - (h[3] * u + h[4] * v + h[5]) / w) / 20};
  };
  const auto expect = [](const std::array<double, 2>& got, double x, double y) {
    EXPECT_NEAR(got[0], x, 1e-12);
    EXPECT_NEAR(got[1], y, 1e-12);
  };
  expect(metres(0, 0, 0, 50, 100), 2, -1);
  expect(metres(kQuarter, 0, 0, 50, 100), 1, 2);
  expect(metres(0, kQuarter / 2, 0, 0, 0), 2, 0);
  // Its right is down, and its down is left.
  expect(metres(0, 0, kQuarter, 100, 50), 2, 1);
}

TEST(ResizedHomography, KeepsAHigherInputsAspectRatio) {
  // 10 x 20 seen at 40 x 10, whose height is filled: scale 4 and 35 columns of padding cut on each side.
  const Homography h =
      resized_homography({1, 0, 0, 0, 1, 0, 0, 0, 1}, {10, 20}, {10, 20}, {40, 10}, {40, 10});
  // The output's middle of 10 x 2.5, at 4 times its size: both cut and padding cancel.
  expect_near(h, {1, 0, 0, 0, 1, 0, 0, 0, 1}, 1e-15);
  const Homography cut =
      resized_homography({1, 0, 0, 0, 1, 0, 0, 0, 1}, {10, 20}, {10, 20}, {10, 20}, {40, 10});
  expect_near(cut, {4, 0, -35, 0, 4, 0, 0, 0, 1}, 1e-15);
}

}  // namespace
}  // namespace tyto::kernels

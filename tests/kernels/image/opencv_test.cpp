#include <gtest/gtest.h>

#include <opencv2/imgproc.hpp>
#include <random>
#include <utility>
#include <vector>

#include "kernels/image/resize.h"

namespace tyto::kernels {
namespace {

using Size = std::pair<int, int>;  // width, height

// How far resize_cpu is from cv::resize, pixel by pixel.
struct Difference {
  int largest = 0;
  int64_t differing = 0, compared = 0;
};

void compare(Size from, Size to, std::mt19937& random, Difference& difference) {
  cv::Mat image(from.second, from.first, CV_8UC3), expected;
  for (int64_t i = 0; i < 3 * static_cast<int64_t>(image.total()); ++i)
    image.data[i] = static_cast<uint8_t>(random() >> 24);
  cv::resize(image, expected, {to.first, to.second}, 0, 0, cv::INTER_LINEAR);
  std::vector<uint8_t> got(expected.total() * 3);
  ResizeScratch scratch;
  resize_cpu(
      image.data, got.data(), int64_t{3} * to.first,
      {from.first, from.second, to.first, to.second, 0, 0, to.first, to.second, Resampling::CvBilinear},
      scratch);
  for (size_t i = 0; i < got.size(); ++i) {
    const int d = std::abs(got[i] - expected.data[i]);
    difference.largest = std::max(difference.largest, d);
    difference.differing += d != 0;
  }
  difference.compared += static_cast<int64_t>(got.size());
}

TEST(ResizeCvBilinear, EqualsOpenCv) {
  std::mt19937 random(1);
  Difference difference;
  const std::vector<Size> sizes = {{1, 1},   {1, 50},    {50, 1},    {2, 2},     {3, 7},      {64, 64},
                                   {97, 61}, {128, 128}, {640, 480}, {320, 240}, {3001, 101}, {20000, 3}};
  for (const Size& from : sizes)
    for (const Size& to : {Size{1, 1}, Size{2, 1}, Size{32, 32}, Size{61, 97}, Size{64, 64}, Size{128, 256},
                           Size{300, 300}, Size{320, 240}})
      compare(from, to, random, difference);
  std::uniform_int_distribution<int> any(1, 200);
  for (int i = 0; i < 300; ++i)
    compare({any(random), any(random)}, {any(random), any(random)}, random, difference);
  std::printf("cv::resize: %ld of %ld values differ, at most by %d\n", difference.differing,
              difference.compared, difference.largest);
  EXPECT_LE(difference.largest, 1);
  EXPECT_LE(difference.differing * 1000, difference.compared);  // other builds of OpenCV may round otherwise
}

TEST(ResizeCvBilinear, HalvesAsOpenCvByTheMeanOfFour) {
  std::mt19937 random(2);
  Difference difference;
  for (const Size& half : {Size{1, 1}, Size{3, 5}, Size{64, 32}, Size{321, 17}})
    compare({2 * half.first, 2 * half.second}, half, random, difference);
  EXPECT_EQ(difference.differing, 0);
}

TEST(Resize, RefusesAWindowOutsideTheImage) {
  ResizeScratch scratch;
  const std::vector<uint8_t> image(3);
  std::vector<uint8_t> out(300);
  for (const ResizeParams& p : {ResizeParams{1, 1, 4, 4, 0, 0, 5, 4}, ResizeParams{1, 1, 4, 4, 0, 3, 4, 2},
                                ResizeParams{1, 1, 4, 4, -1, 0, 2, 2}, ResizeParams{0, 1, 4, 4, 0, 0, 4, 4},
                                ResizeParams{1, 1, 4, 0, 0, 0, 4, 0}})
    EXPECT_THROW(resize_cpu(image.data(), out.data(), 15, p, scratch), std::invalid_argument);
}

}  // namespace
}  // namespace tyto::kernels

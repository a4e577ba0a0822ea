#include "apps/detection/draw_detections.h"

#include <gtest/gtest.h>

#include <limits>

#include "apps/detection/pixel_box.h"

namespace tyto::apps {
namespace {

Detection box(float x, float y, float width, float height) { return {1, 0.9f, x, y, width, height}; }

TEST(PixelBox, HoldsEveryPixelThatIsTouched) {
  EXPECT_EQ(pixel_box(box(10, 20, 30, 40), 100, 100), cv::Rect(10, 20, 30, 40));
  EXPECT_EQ(pixel_box(box(10.9f, 20.1f, 0.2f, 1), 100, 100), cv::Rect(10, 20, 2, 2));
}

TEST(PixelBox, IsClippedToTheImage) {
  EXPECT_EQ(pixel_box(box(-5, -5, 1000, 1000), 7, 9), cv::Rect(0, 0, 7, 9));
  EXPECT_EQ(pixel_box(box(-1e30f, -1e30f, 3e30f, 3e30f), 7, 9), cv::Rect(0, 0, 7, 9));
  EXPECT_EQ(pixel_box(box(0, 0, std::numeric_limits<float>::max(), 2), 7, 9), cv::Rect(0, 0, 7, 2));
}

TEST(PixelBox, IsEmptyBesideTheImage) {
  for (const Detection& d : {box(7, 0, 5, 5), box(0, 9, 5, 5), box(-5, 0, 5, 5), box(0, -5, 5, 5),
                             box(3, 3, 0, 5), box(3, 3, 5, -1)})
    EXPECT_TRUE(pixel_box(d, 7, 9).empty());
}

TEST(DrawDetections, FramesTheBox) {
  cv::Mat picture(200, 300, CV_8UC3, cv::Scalar::all(0));
  draw_detections(picture, {{"person", box(50, 60, 100, 80)}});
  const auto frame = picture.at<cv::Vec3b>(60, 50);
  for (const cv::Point p : {cv::Point(149, 60), {50, 139}, {149, 139}, {51, 100}, {148, 100}})
    EXPECT_EQ(picture.at<cv::Vec3b>(p), frame) << p;
  for (const cv::Point p : {cv::Point(52, 100), {147, 100}, {100, 62}, {150, 100}, {49, 100}, {100, 140}})
    EXPECT_EQ(picture.at<cv::Vec3b>(p), cv::Vec3b()) << p;
}

TEST(DrawDetections, PaintsTheBestOnTopInItsClassColour) {
  Detection other = box(50, 60, 100, 80);
  other.label = 2;
  cv::Mat one(200, 300, CV_8UC3, cv::Scalar::all(0)), two = one.clone();
  draw_detections(one, {{"a", box(50, 60, 100, 80)}, {"b", other}});
  draw_detections(two, {{"b", other}, {"a", box(50, 60, 100, 80)}});
  EXPECT_NE(one.at<cv::Vec3b>(100, 50), two.at<cv::Vec3b>(100, 50));
}

TEST(DrawDetections, FitsAnyPicture) {
  const std::vector<NamedDetection> detections = {{"a long name for a class", box(-10, -10, 1e6f, 1e6f)},
                                                  {"tiny", box(0, 0, 0.5f, 0.5f)},
                                                  {"", box(1, 1, 1, 1)},
                                                  {"beside", box(1e5f, 1e5f, 10, 10)}};
  for (const cv::Size size : {cv::Size(1, 1), {1, 50}, {50, 1}, {7, 5}, {20000, 3}}) {
    cv::Mat picture(size, CV_8UC3, cv::Scalar::all(0));
    draw_detections(picture, detections);
    EXPECT_GT(cv::countNonZero(picture.reshape(1)), 0);
  }
}

}  // namespace
}  // namespace tyto::apps

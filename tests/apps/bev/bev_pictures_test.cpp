#include "apps/bev/bev_pictures.h"

#include <gtest/gtest.h>

#include "engine/images/pose.h"

namespace tyto::apps {
namespace {

// Three cells ahead, two across; one of them stands out: ahead by 2 and to the right.
BevGridInfo grid_of(bool rows_are_x, bool lidar) {
  BevGridInfo grid{{0, -1, -1}, {1, 1, 2}, {3, 2, 1}, rows_are_x, lidar};
  if (lidar) grid = {{-1, 0, -1}, {1, 1, 2}, {2, 3, 1}, rows_are_x, lidar};  // x to the right, y ahead
  return grid;
}

TEST(BevPictures, ForwardIsUpAndLeftIsLeftWhateverTheAxes) {
  for (const bool rows_are_x : {true, false})
    for (const bool lidar : {true, false}) {
      const BevGridInfo grid = grid_of(rows_are_x, lidar);
      const int x = lidar ? 1 : 2, y = lidar ? 2 : 0;  // the cell's index: the ego's y points left
      std::vector<float> map(6, -30);
      map[static_cast<size_t>(rows_are_x ? x * grid.cells[1] + y : y * grid.cells[0] + x)] = 30;
      const cv::Mat seen = seen_from_above(map, grid);
      ASSERT_EQ(seen.size(), cv::Size(2, 3));
      for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 2; ++j)
          EXPECT_EQ(seen.at<float>(i, j), i == 0 && j == 1 ? 30 : -30) << rows_are_x << lidar;
      const cv::Mat grey = probability_picture(seen);
      EXPECT_EQ(grey.size(), cv::Size(2 * 213, 3 * 213));
      EXPECT_EQ(grey.at<uint8_t>(212, 213), 255);
      EXPECT_EQ(grey.at<uint8_t>(213, 213), 0);
      EXPECT_EQ(grey.at<uint8_t>(212, 212), 0);
    }
}

// A camera that looks to this side of ahead, in degrees to the left.
SampleCamera camera_at(double degrees) {
  const double half = degrees * 3.14159265358979323846 / 360;
  SampleCamera camera{"c"};
  const Matrix4 ahead = {0, 0, 1, 0, -1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0, 1};
  camera.camera.camera_to_ego = multiply(pose_of({std::cos(half), 0, 0, std::sin(half)}, {0, 0, 1.5}), ahead);
  camera.camera.intrinsics = {100, 0, 50, 0, 100, 25, 0, 0, 1};
  return camera;
}

TEST(BevPictures, CamerasStandWhereTheyLook) {
  Sample sample{"id", "street"};
  std::vector<Image> images;
  // Each is of one colour; the rows above and below are of 3 x 480 pixels, the map between them of 640 x 640.
  const std::vector<std::pair<double, cv::Point>> places = {{-56, {1200, 200}}, {0, {720, 200}},
                                                            {55, {240, 200}},   {110, {240, 1050}},
                                                            {180, {720, 1050}}, {-110, {1200, 1050}}};
  for (const auto& [degrees, at] : places) {
    sample.cameras.push_back(camera_at(degrees));
    const auto shade = static_cast<uint8_t>(40 * images.size() + 30);
    images.push_back({100, 50, std::vector<uint8_t>(100 * 50 * 3, shade)});
  }
  const BevGridInfo grid{{-10, -10, -1}, {1, 1, 2}, {20, 20, 1}};
  cv::Mat logits(20, 20, CV_32F, cv::Scalar(-30));
  logits.at<float>(0, 0) = 30;
  const std::vector<cv::Mat> maps = {logits};
  const std::vector<std::string> classes = {"car"};
  const cv::Mat picture = scene_picture({sample, images, grid, maps, classes});
  EXPECT_EQ(picture.size(), cv::Size(3 * 480 + 4 * 8, 2 * 240 + 640 + 4 * 8));
  for (size_t i = 0; i < places.size(); ++i)
    EXPECT_EQ(picture.at<cv::Vec3b>(places[i].second)[1], 40 * i + 30) << places[i].first;
  const cv::Point corner((picture.cols - 640) / 2, 240 + 16);  // of the map
  EXPECT_GT(picture.at<cv::Vec3b>(corner + cv::Point(20, 20))[2],
            200);  // the cell that is far ahead and left
  EXPECT_LT(picture.at<cv::Vec3b>(corner + cv::Point(40, 20))[2], 100);
}

}  // namespace
}  // namespace tyto::apps

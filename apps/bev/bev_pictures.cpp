#include "apps/bev/bev_pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "apps/images/drawing.h"
#include "apps/images/encode.h"
#include "engine/images/pose.h"

namespace tyto::apps {
namespace {

constexpr int kLongerSide = 640;                                // of a map, pixels
constexpr int kCameraWidth = 480, kGap = 8;                     // pixels
constexpr double kLetters = 11;                                 // pixels
constexpr double kCarLength = 4.1, kCarWidth = 1.7, kRear = 1;  // metres; the ego's origin is its rear axle
constexpr double kRayLength = 0.12;                             // of a camera's view, in widths of the map
const cv::Scalar kPaper(34, 30, 28), kGround(52, 48, 45), kLines(118, 110, 104), kText(232, 228, 224);

// BGR; seen against dark ground.
const std::array<cv::Scalar, 6> kColours = {
    {{80, 190, 255}, {230, 180, 70}, {120, 210, 110}, {220, 120, 220}, {90, 110, 245}, {200, 200, 90}}};

double sigmoid(double logit) { return 1 / (1 + std::exp(-logit)); }

int magnification(const cv::Mat& map) { return std::max(1, kLongerSide / std::max(map.rows, map.cols)); }

cv::Mat magnified(const cv::Mat& map) {
  cv::Mat larger;
  const int scale = magnification(map);
  cv::resize(map, larger, {map.cols * scale, map.rows * scale}, 0, 0, cv::INTER_NEAREST);
  return larger;
}

// Which axis of a grid's frame points ahead: x of the ego's, y of nuScenes' lidar, whose x points right.
size_t ahead_axis(const BevGridInfo& grid) { return grid.lidar_frame ? 1 : 0; }

// --- the map ---

// Metres of the grid's frame to pixels of the magnified map.
class GroundToPixels {
 public:
  GroundToPixels(const BevScene& scene, int pixels_a_cell)
      : grid_(scene.grid),
        pixels_(pixels_a_cell),
        from_ego_(scene.grid.lidar_frame ? inverse_pose(scene.sample.lidar_to_ego) : kIdentity4) {}

  cv::Point2d of_ego(double ahead, double left, double up = 0) const {
    const auto [x, y, z] = transform(from_ego_, {ahead, left, up});
    const double column = grid_.lidar_frame ? (x - grid_.lower[0]) / grid_.step[0]
                                            : grid_.cells[1] - (y - grid_.lower[1]) / grid_.step[1];
    const size_t axis = ahead_axis(grid_);
    const double row = grid_.cells[axis] - ((axis == 0 ? x : y) - grid_.lower[axis]) / grid_.step[axis];
    return {column * pixels_, row * pixels_};
  }

 private:
  const BevGridInfo& grid_;
  const double pixels_;
  const Matrix4 from_ego_;
};

cv::Mat coloured(const BevScene& scene) {
  cv::Mat map(scene.logits[0].size(), CV_8UC3, kGround);
  for (int i = 0; i < map.rows; ++i)
    for (int j = 0; j < map.cols; ++j) {
      size_t best = 0;
      for (size_t k = 1; k < scene.logits.size(); ++k)
        if (scene.logits[k].at<float>(i, j) > scene.logits[best].at<float>(i, j)) best = k;
      const float logit = scene.logits[best].at<float>(i, j);
      const double p = std::isnan(logit) ? 0 : sigmoid(logit);
      const double share = logit > scene.threshold ? 0.5 + p / 2 : p / 3;
      const cv::Scalar& colour = kColours[best % kColours.size()];
      for (int c = 0; c < 3; ++c)
        map.at<cv::Vec3b>(i, j)[c] =
            cv::saturate_cast<uint8_t>(kGround[c] + (colour[c] - kGround[c]) * share);
    }
  return magnified(map);
}

void draw_line(cv::Mat& map, const std::vector<cv::Point2d>& points, const cv::Scalar& colour, bool closed) {
  constexpr int kFractionBits = 4;
  std::vector<cv::Point> scaled;
  for (const cv::Point2d& p : points)
    scaled.emplace_back(static_cast<int>(std::lround(p.x * (1 << kFractionBits))),
                        static_cast<int>(std::lround(p.y * (1 << kFractionBits))));
  cv::polylines(map, scaled, closed, colour, 1, cv::LINE_AA, kFractionBits);
}

void draw_rings(cv::Mat& map, const GroundToPixels& to_pixels, const BevGridInfo& grid) {
  double reach = 0;  // to the furthest corner
  for (const size_t axis : {0, 1})
    reach = std::max(
        {reach, std::abs(grid.lower[axis]), std::abs(grid.lower[axis] + grid.step[axis] * grid.cells[axis])});
  double step = 1;
  for (const double larger : {2.0, 5.0, 10.0, 20.0, 50.0, 100.0})
    if (reach / step > 5.5) step = larger;
  constexpr int kSides = 180;
  for (double radius = step; radius < reach * std::numbers::sqrt2; radius += step) {
    std::vector<cv::Point2d> ring;
    for (int side = 0; side < kSides; ++side) {
      const double angle = 2 * std::numbers::pi * side / kSides;
      ring.push_back(to_pixels.of_ego(radius * std::cos(angle), radius * std::sin(angle)));
    }
    draw_line(map, ring, kLines, true);
    const cv::Point2d top = to_pixels.of_ego(radius, 0);
    if (top.y > 2 * kLetters)
      draw_text(map, fmt::format("{:g} m", radius), top.x + 4, top.y - 4, 0.8 * kLetters, kText);
  }
}

// The two edges of what each camera sees.
void draw_views(cv::Mat& map, const GroundToPixels& to_pixels, const BevScene& scene) {
  for (size_t i = 0; i < scene.images.size(); ++i) {
    const Camera& camera = scene.sample.cameras[i].camera;
    const Matrix3 k = multiply(camera.augmentation, camera.intrinsics);
    const Matrix4& pose = camera.camera_to_ego;
    const double length =
        kRayLength * scene.grid.step[0] * std::max(scene.grid.cells[0], scene.grid.cells[1]);
    std::vector<cv::Point2d> edges;
    for (const double u : {0.0, static_cast<double>(scene.images[i].width)}) {
      const double x = (u - k[2]) / k[0], z = 1;
      const std::array<double, 2> ray = {pose[0] * x + pose[2] * z, pose[4] * x + pose[6] * z};
      const double scale = length / std::max(std::hypot(ray[0], ray[1]), 1e-9);
      edges.push_back(to_pixels.of_ego(pose[3] + ray[0] * scale, pose[7] + ray[1] * scale));
      if (edges.size() == 1) edges.push_back(to_pixels.of_ego(pose[3], pose[7]));
    }
    draw_line(map, edges, kText, false);
  }
}

void draw_car(cv::Mat& map, const GroundToPixels& to_pixels) {
  const double front = kCarLength - kRear, side = kCarWidth / 2;
  draw_line(map,
            {to_pixels.of_ego(-kRear, side), to_pixels.of_ego(front - side, side), to_pixels.of_ego(front, 0),
             to_pixels.of_ego(front - side, -side), to_pixels.of_ego(-kRear, -side)},
            {255, 255, 255}, true);
}

cv::Mat map_panel(const BevScene& scene) {
  cv::Mat map = coloured(scene);
  const GroundToPixels to_pixels(scene, magnification(scene.logits[0]));
  draw_rings(map, to_pixels, scene.grid);
  draw_views(map, to_pixels, scene);
  draw_car(map, to_pixels);
  return map;
}

// --- the cameras around it ---

struct View {
  double yaw = 0;  // of where the camera looks, to the left of ahead: degrees in (-180, 180]
  cv::Mat picture;
};

View view_of(const SampleCamera& camera, const Image& image) {
  const Matrix4& pose = camera.camera.camera_to_ego;
  View view{std::atan2(pose[6], pose[2]) * 180 / std::numbers::pi};
  const int height = std::max(
      1, static_cast<int>(std::lround(static_cast<double>(image.height) * kCameraWidth / image.width)));
  cv::resize(to_bgr(image), view.picture, {kCameraWidth, std::min(height, 2 * kCameraWidth)}, 0, 0,
             cv::INTER_AREA);
  const std::string name = fit_text(camera.name, kLetters, kCameraWidth - 2 * kLetters);
  const cv::Rect tag(0, 0, static_cast<int>(text_width(name, kLetters) + 2 * kLetters),
                     static_cast<int>(2 * kLetters));
  view.picture(tag & cv::Rect({0, 0}, view.picture.size())) = kPaper;
  draw_text(view.picture, name, kLetters, 1.5 * kLetters, kLetters, kText);
  return view;
}

// Beside or above one another.
cv::Mat row_of(const std::vector<View>& views, bool upright) {
  cv::Size size(0, 0);
  for (const View& v : views) {
    int &along = upright ? size.height : size.width, &across = upright ? size.width : size.height;
    along += (upright ? v.picture.rows : v.picture.cols) + (along > 0 ? kGap : 0);
    across = std::max(across, upright ? v.picture.cols : v.picture.rows);
  }
  cv::Mat row(size, CV_8UC3, kPaper);
  cv::Point at(0, 0);
  for (const View& v : views) {
    v.picture.copyTo(row(cv::Rect(at, v.picture.size())));
    (upright ? at.y : at.x) += (upright ? v.picture.rows : v.picture.cols) + kGap;
  }
  return row;
}

struct Surround {
  cv::Mat ahead, back, left, right;
};

Surround surround_of(const BevScene& scene) {
  constexpr double kAhead = 75, kBack = 105;  // degrees; between them a camera looks sideways
  std::vector<View> ahead, back, left, right;
  for (size_t i = 0; i < scene.images.size(); ++i) {
    View view = view_of(scene.sample.cameras[i], scene.images[i]);
    const double off = std::abs(view.yaw);
    (off < kAhead ? ahead : off > kBack ? back : view.yaw > 0 ? left : right).push_back(std::move(view));
  }
  // Leftmost or uppermost first.
  const auto turned = [](double yaw) { return yaw < 0 ? yaw + 360 : yaw; };
  std::ranges::stable_sort(ahead, std::greater(), &View::yaw);
  std::ranges::stable_sort(back, {}, [&](const View& v) { return turned(v.yaw); });
  std::ranges::stable_sort(left, {}, &View::yaw);
  std::ranges::stable_sort(right, std::greater(), &View::yaw);
  return {row_of(ahead, false), row_of(back, false), row_of(left, true), row_of(right, true)};
}

void place(cv::Mat& picture, const cv::Mat& part, cv::Point at) {
  if (!part.empty()) part.copyTo(picture(cv::Rect(at, part.size())));
}

int with_gap(int pixels) { return pixels > 0 ? pixels + kGap : 0; }

}  // namespace

cv::Mat seen_from_above(std::span<const float> map, const BevGridInfo& grid) {
  const size_t ahead = ahead_axis(grid), across = 1 - ahead;
  const int rows = grid.cells[ahead], columns = grid.cells[across];
  cv::Mat out(rows, columns, CV_32F);
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < columns; ++j) {
      std::array<int, 2> cell = {};
      cell[ahead] = rows - 1 - i;
      cell[across] = grid.lidar_frame ? j : columns - 1 - j;
      const int at = grid.rows_are_x ? cell[0] * grid.cells[1] + cell[1] : cell[1] * grid.cells[0] + cell[0];
      out.at<float>(i, j) = map[static_cast<size_t>(at)];
    }
  return out;
}

cv::Mat probability_picture(const cv::Mat& logits) {
  cv::Mat grey(logits.size(), CV_8U);
  for (int i = 0; i < grey.rows; ++i)
    for (int j = 0; j < grey.cols; ++j) {
      const float logit = logits.at<float>(i, j);
      grey.at<uint8_t>(i, j) =
          std::isnan(logit) ? 0 : static_cast<uint8_t>(std::lround(255 * sigmoid(logit)));
    }
  return magnified(grey);
}

cv::Mat scene_picture(const BevScene& scene) {
  const cv::Mat map = map_panel(scene);
  const auto [ahead, back, left, right] = surround_of(scene);
  const double text = std::max(
      {text_width(scene.sample.id, kLetters), text_width(scene.sample.sequence, 1.3 * kLetters), 150.0});
  const int side = std::max({left.cols, right.cols, std::min(static_cast<int>(text), kCameraWidth)});
  const int middle = std::max({map.rows, left.rows, right.rows});
  const int width = std::max({ahead.cols, back.cols, map.cols + 2 * (side + kGap)});
  const int height = with_gap(ahead.rows) + middle + with_gap(back.rows);
  cv::Mat picture(height + 2 * kGap, width + 2 * kGap, CV_8UC3, kPaper);
  const auto centred = [&](const cv::Mat& part, int y) {
    return cv::Point((picture.cols - part.cols) / 2, y);
  };
  int y = kGap;
  place(picture, ahead, centred(ahead, y));
  y += with_gap(ahead.rows);
  const cv::Point corner = centred(map, y + (middle - map.rows) / 2);
  place(picture, map, corner);
  place(picture, left, {corner.x - kGap - left.cols, y + (middle - left.rows) / 2});
  place(picture, right, {corner.x + map.cols + kGap, y + (middle - right.rows) / 2});

  const double x = kGap + 4, room = corner.x - 2 * kGap;
  double line = y + 2 * kLetters;
  if (left.empty()) {
    draw_text(picture, fit_text(scene.sample.sequence, 1.3 * kLetters, room), x, line, 1.3 * kLetters, kText);
    line += 2.2 * kLetters;
    draw_text(picture, fit_text(scene.sample.id, kLetters, room), x, line, kLetters, kLines);
    for (size_t k = 0; k < scene.classes.size(); ++k) {
      line += 2.2 * kLetters;
      draw_text(picture, fit_text(scene.classes[k], kLetters, room), x, line, kLetters,
                kColours[k % kColours.size()]);
    }
  }
  place(picture, back, centred(back, y + middle + kGap));
  return picture;
}

}  // namespace tyto::apps

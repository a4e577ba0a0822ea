#include "apps/detection/pixel_box.h"

#include <algorithm>
#include <cmath>

namespace tyto::apps {

cv::Rect pixel_box(const Detection& d, int width, int height) {
  const auto within = [](double value, int limit) {
    return static_cast<int>(std::clamp(value, 0.0, static_cast<double>(limit)));
  };
  const double right = static_cast<double>(d.x) + d.width, bottom = static_cast<double>(d.y) + d.height;
  const int x0 = within(std::floor(d.x), width), x1 = within(std::ceil(right), width);
  const int y0 = within(std::floor(d.y), height), y1 = within(std::ceil(bottom), height);
  return x1 > x0 && y1 > y0 ? cv::Rect(x0, y0, x1 - x0, y1 - y0) : cv::Rect();
}

}  // namespace tyto::apps

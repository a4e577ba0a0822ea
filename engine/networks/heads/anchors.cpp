#include "engine/networks/heads/anchors.h"

#include <algorithm>
#include <cmath>

namespace tyto {

Tensor lay_anchors(const std::vector<AnchorMap>& maps) {
  std::vector<float> values;
  for (const AnchorMap& map : maps)
    for (int64_t i = 0; i < map.rows; ++i)
      for (int64_t j = 0; j < map.columns; ++j)
        for (const auto& [width, height] : map.sizes)
          for (double v : {(static_cast<double>(j) + 0.5) / map.columns_per_unit,
                           (static_cast<double>(i) + 0.5) / map.rows_per_unit, width, height})
            values.push_back(static_cast<float>(v));
  return Tensor::of<float>({static_cast<int64_t>(values.size()) / 4, 4}, values);
}

std::vector<std::array<double, 2>> ssd_sizes(double scale, double next_scale,
                                             const std::vector<double>& ratios) {
  const double between = std::sqrt(scale * next_scale);
  std::vector<std::array<double, 2>> sizes = {{scale, scale}, {between, between}};
  for (double r : ratios) {
    const double wide = scale * std::sqrt(r), narrow = scale / std::sqrt(r);
    sizes.push_back({wide, narrow});
    sizes.push_back({narrow, wide});
  }
  return sizes;
}

void clamp_all(Tensor& anchors) {
  for (float& v : anchors.as<float>()) v = std::clamp(v, 0.0f, 1.0f);
}

void clamp_sizes(Tensor& anchors) {
  const auto values = anchors.as<float>();
  for (size_t i = 0; i < values.size(); ++i)
    if (i % 4 >= 2) values[i] = std::clamp(values[i], 0.0f, 1.0f);
}

void clamp_corners(Tensor& anchors) {
  const auto values = anchors.as<float>();
  for (size_t i = 0; i < values.size(); i += 4)
    for (size_t axis = 0; axis < 2; ++axis) {
      float &centre = values[i + axis], &size = values[i + 2 + axis];
      const float low = std::clamp(centre - 0.5f * size, 0.0f, 1.0f),
                  high = std::clamp(centre + 0.5f * size, 0.0f, 1.0f);
      size = high - low;
      centre = 0.5f * (low + high);
    }
}

void to_pixels(Tensor& anchors, int64_t width, int64_t height) {
  const auto values = anchors.as<float>();
  const float extent[2] = {static_cast<float>(width), static_cast<float>(height)};
  for (size_t i = 0; i < values.size(); i += 4)
    for (size_t axis = 0; axis < 2; ++axis) {
      float &centre = values[i + axis], &size = values[i + 2 + axis];
      const float low = (centre - 0.5f * size) * extent[axis], high = (centre + 0.5f * size) * extent[axis];
      size = high - low;
      centre = low + 0.5f * size;
    }
}

}  // namespace tyto

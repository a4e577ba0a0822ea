// Maps of the ground as pictures: forward is up, left is left.
#pragma once

#include <opencv2/core.hpp>
#include <span>
#include <string>
#include <vector>

#include "apps/bev/sample.h"
#include "tyto/image.h"
#include "tyto/model.h"

namespace tyto::apps {

// [cells ahead, cells across] F32 of a map [rows, columns] F32, furthest ahead and left first.
cv::Mat seen_from_above(std::span<const float> map, const BevGridInfo& grid);

// Grey: the sigmoid of logits that seen_from_above() gave, each cell a square of as many pixels as make the
// longer side at most 640.
cv::Mat probability_picture(const cv::Mat& logits);

struct BevScene {
  const Sample& sample;
  std::span<const Image> images;  // of its cameras, in their order
  const BevGridInfo& grid;
  std::span<const cv::Mat> logits;  // of each class, as seen_from_above() gives them
  const std::vector<std::string>& classes;
  float threshold = 0;  // of logits: cells beyond it are coloured
};

// BGR: the map with the car in its middle and rings of distance, and around it what its cameras saw, those
// that look forward above it, those that look back below it.
cv::Mat scene_picture(const BevScene& scene);

}  // namespace tyto::apps

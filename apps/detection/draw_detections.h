// Detections on their picture.
#pragma once

#include <opencv2/core.hpp>
#include <vector>

#include "apps/detection/detections_file.h"

namespace tyto::apps {

// Draws on the picture (BGR), which the boxes' coordinates are of: a box in its class's colour, with name and
// score in percent. The best stand on top. Lines and letters grow with pictures of more than 900 pixels.
void draw_detections(cv::Mat& picture, const std::vector<NamedDetection>& detections);

}  // namespace tyto::apps

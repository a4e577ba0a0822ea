// The whole pixels that a detection's box touches.
#pragma once

#include <opencv2/core.hpp>

#include "tyto/detector.h"

namespace tyto::apps {

cv::Rect pixel_box(const Detection& detection, int width,
                   int height);  // empty where it lies beside the image

}  // namespace tyto::apps

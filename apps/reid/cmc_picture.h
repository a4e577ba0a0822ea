// The CMC curve (Rank@k against k) as a picture.
#pragma once

#include <opencv2/core.hpp>
#include <string>

#include "engine/metrics/reid/evaluation.h"

namespace tyto::apps {

// Both show the same chart: ranks 1 to 50, fewer for a smaller gallery, with Rank@1, mAP and mINP and the
// rules used.
std::string cmc_svg(const Evaluation& evaluation);
cv::Mat cmc_picture(const Evaluation& evaluation);

}  // namespace tyto::apps

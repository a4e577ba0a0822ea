// The CMC curve (Rank@k against k) as a picture.
#pragma once

#include <opencv2/core.hpp>
#include <string>

#include "engine/metrics/reid/evaluation.h"

namespace tyto::apps {

// Both show the same chart: ranks 1 to 50, fewer for a smaller gallery, with Rank@1, mAP and mINP and the
// rules used; trials: how many the evaluation is the mean of.
std::string cmc_svg(const Evaluation& evaluation, int64_t trials = 1);
cv::Mat cmc_picture(const Evaluation& evaluation, int64_t trials = 1);

}  // namespace tyto::apps

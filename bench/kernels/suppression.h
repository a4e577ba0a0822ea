// nms() as a case, and what it needs at least.
#pragma once

#include <vector>

#include "bench/kernels/kernel_case.h"
#include "kernels/detection/nms.h"

namespace tyto::bench {

// Of one image, whose boxes and scores are where `in` says; their values are what the operations are counted
// from. Makes the outputs "detections" and "counts".
Work suppression_of(Arrays& a, const kernels::Nms& p, const std::vector<float>& boxes,
                    const std::vector<float>& scores, const kernels::BoxScores& in);

// The same, of arrays "boxes" and "scores", which it makes; `in` has their sizes.
Work suppression(Arrays& a, const kernels::Nms& p, const std::vector<float>& boxes,
                 const std::vector<float>& scores, kernels::BoxScores in);

}  // namespace tyto::bench

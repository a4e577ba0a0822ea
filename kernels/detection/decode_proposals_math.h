// Which boxes are proposals, the same bits on CPU and CUDA.
#pragma once

#include <limits>

#include "kernels/detection/boxes_math.h"
#include "kernels/detection/decode_proposals.h"

namespace tyto::kernels {

// NaN for no image, even where no box is too small.
TYTO_HOST_DEVICE inline float smallest_side(const ImageSizes& sizes, const DecodeProposals& params) {
  return params.min_size * sizes.scale();
}

// `logit` where both sides of a clipped box are at least `smallest`, which a NaN never is.
TYTO_HOST_DEVICE inline float proposal_score(const Box& box, float logit, float smallest) {
  const bool large = box.x2 - box.x1 >= smallest && box.y2 - box.y1 >= smallest;
  return large ? logit : std::numeric_limits<float>::quiet_NaN();
}

}  // namespace tyto::kernels

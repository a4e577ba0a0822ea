// One row of encode_boxes.h, the same bits on CPU and CUDA (no multiply-add is fused).
#pragma once

#include <algorithm>

#include "kernels/common/logarithm.h"
#include "kernels/detection/boxes_math.h"
#include "kernels/detection/encode_boxes.h"

namespace tyto::kernels {

[[gnu::always_inline]] TYTO_HOST_DEVICE inline Offsets encode(const Box& reference, const Box& target,
                                                              const EncodeBoxes& params) {
  const CentredBox from = centred(reference), to = centred(target);
  // A NaN stays one: std::max returns its first argument unless the second is larger.
  const float width = std::max(from.width, params.least_side),
              height = std::max(from.height, params.least_side);
  const auto& variance = params.coding.variance;
  return {(to.x - from.x) / width / variance[0], (to.y - from.y) / height / variance[1],
          logarithm(to.width / width) / variance[2], logarithm(to.height / height) / variance[3]};
}

}  // namespace tyto::kernels

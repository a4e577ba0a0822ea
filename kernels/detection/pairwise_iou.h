// Intersection over union of every box with every box of another set, for training.
#pragma once

#include <cstdint>

#include "kernels/common/stream.h"

namespace tyto::kernels {

// chainercv's bbox_iou, torchvision's box_iou. NaN where both boxes are without area; a box with a NaN gives
// a NaN or 0.
// a     [n, 4]   x1, y1, x2, y2
// b     [k, 4]
// ious  [n, k]
void pairwise_iou_cpu(const float* a, int64_t n, const float* b, int64_t k, float* ious);
// The same bits. Device pointers, a and b aligned to 16 bytes; n * k < 2^31.
void pairwise_iou(const float* a, int64_t n, const float* b, int64_t k, float* ious, Stream stream);

}  // namespace tyto::kernels

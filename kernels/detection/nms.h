// From scored boxes to detections: threshold, best of each class, non-maximum suppression, best of the image.
#pragma once

#include <cstdint>

#include "kernels/common/stream.h"

namespace tyto::kernels {

// The overlap of two boxes without area is 0 / 0.
enum class EmptyUnion : uint8_t {
  Keep,  // both stay: torchvision, TensorFlow
  Drop,  // the one with the lower score goes: ssd.pytorch
};

struct Nms {
  float score_threshold = 0.01f;  // a candidate scores more
  int top_k = 0;                  // candidates of a class, the best; 0: all
  float iou_threshold = 0.45f;    // suppressed: overlaps a better box of its class by more
  EmptyUnion empty_union = EmptyUnion::Keep;
  int max_per_class = 0;           // that suppression leaves, the best; 0: all
  bool clip = false;               // to the image, after suppression; what has no area left goes
  float width = 1, height = 1;     // of the image, in the boxes' unit: 0..width, 0..height
  int max_detections = 0;          // of an image, the best; 0: all
  float scale_x = 1, scale_y = 1;  // what the boxes are multiplied by at last
};

inline constexpr int kDetectionRow = 6;  // x1, y1, x2, y2, score, label

// Rows an image for these parameters: the most that can be found.
int64_t detection_capacity(const Nms&, int64_t classes, int64_t count);

// Bytes of workspace for nms_cpu with so many threads.
int64_t nms_workspace(const Nms&, int64_t n, int64_t classes, int64_t count, int threads);

// Boxes with a coordinate that is not finite and scores that are NaN are no candidates; a score of -0 is 0.
// Order everywhere: score falling, then class rising, then box index rising. Overlap: intersection over union
// in float, of the boxes before clipping and scaling. Greedy; deterministic whatever the number of threads.
// count < 2^31, classes < 2^24 (labels are floats), workspace aligned to 8 bytes.
// boxes       [n, count, 4]          x1, y1, x2, y2
// scores      [n, classes, count]    class c has label c + 1
// detections  [n, detection_capacity(), kDetectionRow]  rows after the last are zero with label -1
// counts      [n]                    rows that hold a detection
void nms_cpu(const float* boxes, const float* scores, int64_t n, int64_t classes, int64_t count, const Nms&,
             int threads, void* workspace, float* detections, int32_t* counts);

// Bytes of workspace for nms.
int64_t nms_workspace_cuda(const Nms&, int64_t n, int64_t classes, int64_t count);

// The same rows. Device pointers, boxes and workspace aligned to 16 bytes. At most four launches, no host
// synchronisation; n * classes * count / 4096 < 2^31, classes * min(count, top_k, max_per_class) < 2^31.
void nms(const float* boxes, const float* scores, int64_t n, int64_t classes, int64_t count, const Nms&,
         void* workspace, float* detections, int32_t* counts, Stream stream);

}  // namespace tyto::kernels

// From scored boxes to detections or proposals: threshold, best of each list, non-maximum suppression, best
// of the image. A list is what suppresses one another: a class, a level of a feature pyramid, or all of an
// image.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/common/stream.h"
#include "kernels/detection/boxes.h"

namespace tyto::kernels {

// The overlap of two boxes without area is 0 / 0.
enum class EmptyUnion : uint8_t {
  Keep,  // both stay: torchvision, TensorFlow
  Drop,  // the one with the lower score goes: ssd.pytorch
};

// Which overlap is too much.
enum class Suppress : uint8_t {
  Greater,       // than the threshold: torchvision, ssd.pytorch
  GreaterEqual,  // chainercv, simple-faster-rcnn-pytorch 1.0
};

struct Nms {
  float score_threshold = 0.01f;  // a candidate scores more; -inf: all but NaN and -inf
  int top_k = 0;                  // candidates of a list, the best; 0: all
  float min_size = 0;             // of what top_k leaves, a box with a side less than this goes; 0: none
  float iou_threshold = 0.45f;    // suppressed: overlaps a better box of its list by more
  Suppress rule = Suppress::Greater;
  bool plus_one = false;  // a side is x2 - x1 + 1 (py-faster-rcnn, Caffe): in overlaps and for min_size
  EmptyUnion empty_union = EmptyUnion::Keep;
  bool agnostic = false;  // all classes are one list; labels stay
  // Scores are logits: thresholds and lists go by them, rows hold and go by their sigmoid. Different logits
  // can have one sigmoid.
  bool sigmoid = false;
  int max_per_class = 0;           // that suppression leaves of a list, the best; 0: all
  bool clip = false;               // to the image, after suppression; what has no area left goes
  float width = 1, height = 1;     // of the image, in the boxes' unit: 0..width, 0..height
  int max_detections = 0;          // of an image, the best; 0: all
  float scale_x = 1, scale_y = 1;  // what the boxes are multiplied by at last
  // Boxes of each level of a feature pyramid, which stand one behind the other and are a list each, labelled
  // as classes are. There is one class, and it is not agnostic. All zero: no levels.
  std::array<int, kMaxLevels> levels = {};
};

struct BoxScores {
  const float* boxes = nullptr;     // [n, count, 4] x1, y1, x2, y2; a box a class: [n, count, classes, 4]
  const float* scores = nullptr;    // [n, classes, count]   class c has label c + 1
  const int32_t* counts = nullptr;  // [n]   boxes that there are, the first; null: all
  int64_t n = 0, classes = 0, count = 0;
  bool class_boxes = false;
};

inline constexpr int kDetectionRow = 6;  // x1, y1, x2, y2, score, label

// Rows an image for these parameters: the most that can be found.
int64_t detection_capacity(const Nms&, int64_t classes, int64_t count);

// Bytes of workspace for nms_cpu with so many threads.
int64_t nms_workspace(const Nms&, int64_t n, int64_t classes, int64_t count, int threads);

// Boxes with a coordinate that is not finite and scores that are NaN are no candidates; a score of -0 is 0.
// Order in a list: score falling, then class rising, then box index rising. Of rows: score falling, then list
// rising, then the order of the list. Overlap: intersection over union in float, of the boxes before clipping
// and scaling. Greedy; deterministic whatever the number of threads.
// classes * count < 2^31, classes < 2^24 (labels are floats), workspace aligned to 8 bytes.
// detections  [n, detection_capacity(), kDetectionRow]  rows after the last are zero with label -1
// counts      [n]                                       rows that hold a detection
// kept        [n, detection_capacity()]                 the number, below `count`, of each row's box; -1
//                                                       behind the last; or null
void nms_cpu(const BoxScores&, const Nms&, int threads, void* workspace, float* detections, int32_t* counts,
             int32_t* kept = nullptr);

// Bytes of workspace for nms.
int64_t nms_workspace_cuda(const Nms&, int64_t n, int64_t classes, int64_t count);

// The same rows. Device pointers, boxes and workspace aligned to 16 bytes. At most four launches, no host
// synchronisation; lists of the batch * (count of the longest / 4096) < 2^31.
void nms(const BoxScores&, const Nms&, void* workspace, float* detections, int32_t* counts, Stream stream,
         int32_t* kept = nullptr);

}  // namespace tyto::kernels

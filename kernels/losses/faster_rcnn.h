// The four losses of Faster R-CNN (Ren et al., NeurIPS 2015) as chainercv and simple-faster-rcnn-pytorch add
// them up.
#pragma once

#include "kernels/losses/loss.h"

namespace tyto::kernels {

// smooth(d) = s^2 d^2 / 2 where |d| < 1 / s^2, else |d| - 1 / (2 s^2), s being the sigma of the stage. Of a
// stage, with n its rows whose label is not -1:
//   location = sum over rows of a label above 0 and their four coordinates of smooth(predicted - wanted) / n,
//   class    = sum over the n rows of (logsumexp(logits) - logits[label]) / n.
// Without such a row both are NaN (0 / 0), the stage's gradients 0.
struct FasterRcnnLoss {
  double anchor_sigma = 3, roi_sigma = 1;
};

inline constexpr int kFasterRcnnTerms = 5;  // total, anchors' location, anchors' class, RoIs' location, class

// A stage's predictions and what they should be. Rows of every image, one behind the other.
template <class T>
struct DetectionStage {
  const T* locations = nullptr;     // [rows, 4]; of RoIs [rows, classes, 4], of which the label's four count
  const T* logits = nullptr;        // [rows, classes], background first
  const int32_t* labels = nullptr;  // [rows]: -1 (ignored) to classes - 1; of anchors 1 is an object
  const float* wanted = nullptr;    // [rows, 4], looked at where the label is above 0
  int64_t rows = 0;
  int classes = 2;
};

template <class T>
struct FasterRcnnOutput {
  Computed<T>* values = nullptr;  // [kFasterRcnnTerms]
  // scale * d total / d predictions, of their shapes; null: not wanted.
  T* anchor_locations = nullptr;
  T* anchor_logits = nullptr;
  T* roi_locations = nullptr;
  T* roi_logits = nullptr;
  double scale = 1;
  LossStatus* status = nullptr;  // as LossOutput's
};

// Rows of a stage that are ignored are not read. Fault: a label out of range (Labels) or what is read and not
// finite (Logits, Locations; Boxes for wanted); all values are NaN and so are that row's gradients. RoIs'
// rows are counted behind the anchors'. workspace: faster_rcnn_loss_cpu_workspace() or
// faster_rcnn_loss_workspace() bytes, aligned to 256.
template <class T>
void faster_rcnn_loss_cpu(const DetectionStage<T>& anchors, const DetectionStage<T>& rois,
                          const FasterRcnnLoss&, const FasterRcnnOutput<T>&, void* workspace);
template <class T>
int64_t faster_rcnn_loss_cpu_workspace(int64_t anchors, int64_t rois);

template <class T>
void faster_rcnn_loss(const DetectionStage<T>& anchors, const DetectionStage<T>& rois, const FasterRcnnLoss&,
                      const FasterRcnnOutput<T>&, void* workspace, Stream);
template <class T>
int64_t faster_rcnn_loss_workspace(int64_t anchors, int64_t rois);

}  // namespace tyto::kernels

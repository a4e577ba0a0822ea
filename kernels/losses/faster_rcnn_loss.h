// The four losses of Faster R-CNN (Ren et al., NeurIPS 2015) as chainercv and simple-faster-rcnn-pytorch add
// them up.
#pragma once

#include "kernels/losses/loss.h"

namespace tyto::kernels {

// smooth(d) = s^2 d^2 / 2 where |d| < 1 / s^2, else |d| - 1 / (2 s^2), s being the sigma of the stage. Of a
// stage, with n its rows whose label is not -1:
//   location = sum over rows of a label above 0 and their four coordinates of smooth(location - target) / n,
//   class    = sum over the n rows of (logsumexp(logits) - logits[label]) / n.
// Without such a row both are NaN, being 0 / 0, and the stage's gradients 0.
struct FasterRcnnLoss {
  double anchor_sigma = 3, roi_sigma = 1;
};

// What a stage says, and what it should have said: rows of all images one behind the other.
template <class T>
struct DetectionStage {
  const T* locations = nullptr;     // anchors: [rows, 4]; RoIs: [rows, classes, 4], the label's four count
  const T* logits = nullptr;        // [rows, classes]; class 0 is background
  const int32_t* labels = nullptr;  // [rows]  -1, which counts for nothing, to classes - 1
  const Computed<T>* targets = nullptr;  // [rows, 4]
  int64_t rows = 0;
  int64_t classes = 2;  // anchors: 2
};

inline constexpr int kFasterRcnnTerms = 5;

// Rows of label -1 are not looked at, neither are locations and targets of label 0. A label out of range
// (Labels), or what is looked at and not finite (Logits, Locations; Boxes for a target that is NaN), makes
// all values NaN, and of the gradients that row of the logits' or those four of the locations', or both rows
// for a label. Of a status RoIs' rows count on behind the anchors'.
template <class T>
struct FasterRcnnOutput {
  Computed<T>* value = nullptr;  // [kFasterRcnnTerms]  total; anchors' location, class; RoIs' location, class
  // scale * d total / d the stages' locations and logits, of their shapes; each may be null.
  T *anchor_locations_gradient = nullptr, *anchor_logits_gradient = nullptr;
  T *roi_locations_gradient = nullptr, *roi_logits_gradient = nullptr;
  double scale = 1;
  LossStatus* status = nullptr;  // may be null; never cleared here
};

// workspace: faster_rcnn_loss_cpu_workspace() or faster_rcnn_loss_workspace() bytes. On CUDA
// locations, targets and gradients of locations are aligned to 16 bytes (32 of double); rows * classes <
// 2^31.
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

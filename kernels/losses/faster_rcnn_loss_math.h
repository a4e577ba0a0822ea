// The arithmetic of faster_rcnn_loss.h and what both devices take from their workspace. C is double or float.
#pragma once

#include "kernels/common/workspace.h"
#include "kernels/losses/cross_entropy.h"
#include "kernels/losses/faster_rcnn_loss.h"

namespace tyto::kernels {

inline constexpr int32_t kIgnoredLabel = -1;
inline constexpr int64_t kStageRows = 128;  // of which one sum is kept
inline constexpr CrossEntropy kStageEntropy = {.ignored_label = kIgnoredLabel};

inline int64_t stage_blocks(int64_t rows) { return (rows + kStageRows - 1) / kStageRows; }

// Of a stage.
struct StageSums {
  LossStatus found;
  int64_t counted;  // rows that are not ignored
};

template <class C>
struct FasterRcnnMemory {
  StageSums* stages;     // [2]: anchors, RoIs
  C* classes;            // [2]: the classes' losses
  double* locations[2];  // [stage_blocks]
  void* entropy;

  FasterRcnnMemory(Workspace& workspace, int64_t anchors, int64_t rois, int64_t entropy_bytes)
      : stages(workspace.take<StageSums>(2)),
        classes(workspace.take<C>(2)),
        locations{workspace.take<double>(stage_blocks(anchors)), workspace.take<double>(stage_blocks(rois))},
        entropy(workspace.take<char>(entropy_bytes)) {}
};

// Where the locations of a stage stand: `slots` fours a row, of which the label's counts; or the only one,
// for any label above 0.
template <class T>
struct StageLocations {
  const T* locations;          // [rows, slots, 4]
  const int32_t* labels;       // [rows]
  const Computed<T>* targets;  // [rows, 4]
  int64_t rows, slots, classes;
  Computed<T> squared_sigma;
  T* gradient;  // [rows, slots, 4] or null
  double scale;

  TYTO_HOST_DEVICE bool is_labelled(int32_t label) const {
    return label == kIgnoredLabel || (label >= 0 && label < classes);
  }
  TYTO_HOST_DEVICE bool is_slot_of(int32_t label, int64_t slot) const {
    return label > 0 && (slots == 1 || label == slot);
  }
};

template <class T>
StageLocations<T> locations_of(const DetectionStage<T>& stage, bool a_class, double sigma, T* gradient,
                               double scale) {
  return {stage.locations,
          stage.labels,
          stage.targets,
          stage.rows,
          a_class ? stage.classes : 1,
          stage.classes,
          static_cast<Computed<T>>(sigma * sigma),
          gradient,
          scale};
}

template <class C>
struct SmoothFour {
  C sum = 0;
  C slopes[4];
};

// chainercv's _smooth_l1_loss.
template <class C>
TYTO_HOST_DEVICE inline SmoothFour<C> smooth_four(const C (&location)[4], const C (&target)[4],
                                                  C squared_sigma) {
  SmoothFour<C> out;
  const C bound = 1 / squared_sigma;
  for (int k = 0; k < 4; ++k) {
    const C d = location[k] - target[k], size = d < 0 ? -d : d;
    const bool is_quadratic = size < bound;
    out.sum += is_quadratic ? squared_sigma * d * d / 2 : size - bound / 2;
    out.slopes[k] = is_quadratic ? squared_sigma * d : d < 0 ? C{-1} : C{1};
  }
  return out;
}

// Targets may be infinite, as those of a degenerate object are.
template <class C>
TYTO_HOST_DEVICE inline LossStatus smooth_fault(const C (&location)[4], const C (&target)[4], int64_t row) {
  C zero = 0;  // or NaN
  bool is_number = true;
  for (int k = 0; k < 4; ++k) {
    zero += location[k] * 0;
    is_number = is_number && target[k] == target[k];
  }
  if (zero != zero) return loss_status(LossFault::NotFinite, LossInput::Locations, row);
  return is_number ? 0 : loss_status(LossFault::NotFinite, LossInput::Boxes, row);
}

// From the stages' sums to the value.
template <class C>
TYTO_HOST_DEVICE inline void faster_rcnn_value(const double (&locations)[2], const StageSums* stages,
                                               const C* classes, C* value) {
  double total = 0;
  for (int s = 0; s < 2; ++s) {
    const double location = locations[s] / static_cast<double>(stages[s].counted);
    value[1 + 2 * s] = static_cast<C>(location);
    value[2 + 2 * s] = classes[s];
    total += location + static_cast<double>(classes[s]);
  }
  value[0] = static_cast<C>(total);
}

// The graver of both; RoIs' rows count on behind the anchors'.
TYTO_HOST_DEVICE inline LossStatus faster_rcnn_status(const StageSums* stages, int64_t anchors) {
  const LossStatus of_rois = stages[1].found == 0 ? 0 : stages[1].found - static_cast<LossStatus>(anchors);
  return stages[0].found > of_rois ? stages[0].found : of_rois;
}

}  // namespace tyto::kernels

// How well a predicted map of the ground covers a labelled one, as Lift-Splat-Shoot counts it
// (nv-tlabs/lift-splat-shoot, get_batch_iou and get_val_info): cells are counted over a whole set, and
// divided once at the end. A mean of each sample's IoU is another number.
#pragma once

#include <cstdint>
#include <span>

namespace tyto {

struct GridOverlap {
  int64_t intersection = 0;  // cells both predicted and labelled
  int64_t predicted = 0, labelled = 0;

  int64_t in_either() const { return predicted + labelled - intersection; }
  double iou() const;  // in [0, 1]; -1 where no cell is either
  GridOverlap& operator+=(const GridOverlap&);
  bool operator==(const GridOverlap&) const = default;
};

// Of one map. A cell is predicted where its logit is greater than the threshold, so NaN never is; it is
// labelled where its label is not 0. Error{Shape} where the maps differ in size.
GridOverlap grid_overlap(std::span<const float> logits, std::span<const uint8_t> labels, float threshold = 0);

}  // namespace tyto

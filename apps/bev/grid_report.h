// An evaluation of maps of the ground for people and for programs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/metrics/grid_iou.h"

namespace tyto::apps {

struct GridEvaluation {
  std::string truth;  // "labels" or "nuScenes vehicles"
  float threshold = 0;
  int64_t samples = 0, not_predicted = 0;  // not_predicted: among them, of which nothing counts as found
  std::vector<std::string> classes;
  std::vector<GridOverlap> overlaps;  // of each class, of all samples
};

std::string grid_text(const GridEvaluation&);  // ends with a line break

// {"rule": "Lift-Splat-Shoot", "truth": ..., "threshold": ..., "samples": ..., "not_predicted": ...,
// "mean_iou":
//  ..., "classes": [{"name": ..., "iou": ..., "intersection": ..., "union": ..., "predicted": ...,
//  "labelled":
//  ...}]}
// An IoU is in [0, 1], -1 of a class of which no cell is predicted or labelled; the mean is over the others.
// One line.
std::string grid_json(const GridEvaluation&);

}  // namespace tyto::apps

// The part of `tyto evaluate` that judges maps of the ground.
#pragma once

#include <string>
#include <vector>

namespace tyto::apps {

// What maps are judged by: labels or nuscenes is set.
struct BevTruth {
  bool bev = false;
  std::string labels, nuscenes;
  std::string version, scenes;  // of nuscenes
  float threshold = 0;          // of logits
};

// folders: that `tyto bev` wrote, of one grid and the same classes. All samples of the truth are judged; of
// those that are in no folder nothing counts as found. Prints the report and, where `out` is not empty,
// writes evaluation.json into that folder; returns an exit code.
int evaluate_bev(const std::vector<std::string>& folders, const BevTruth& truth, const std::string& out,
                 bool json);

}  // namespace tyto::apps

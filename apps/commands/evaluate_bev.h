// The third of `tyto evaluate` that judges maps of the ground.
#pragma once

#include <string>
#include <vector>

namespace tyto::apps {

// What maps are judged by: labels or nuscenes is set.
struct BevTruth {
  bool bev = false;
  std::string labels, nuscenes, version = "v1.0-trainval", scenes;
  float threshold = 0;
};

// folders: that `tyto bev` wrote. Prints the report and, where `out` is not empty, writes evaluation.json
// into that folder; returns an exit code: kSkipped where samples could not be judged.
int evaluate_bev(const std::vector<std::string>& folders, const BevTruth& truth, const std::string& out,
                 bool json);

}  // namespace tyto::apps

// The half of `tyto evaluate` that judges detections.
#pragma once

#include <string>
#include <vector>

namespace tyto::apps {

// What detections are judged by: one of the first two is set.
struct DetectionTruth {
  std::string coco_annotations, voc;
  std::string split, voc_rule = "devkit";  // of voc

  bool given() const { return !coco_annotations.empty() || !voc.empty(); }
};

// Prints the report and, where `out` is not empty, writes it into that folder; returns an exit code.
int evaluate_detections(const std::vector<std::string>& files, const DetectionTruth& truth,
                        const std::string& out, bool json);

}  // namespace tyto::apps

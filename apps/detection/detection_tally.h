// How much of every class a detections.jsonl holds.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "apps/detection/detections_file.h"

namespace tyto::apps {

struct DetectionTally {
  struct Class {
    int64_t detections = 0;
    int64_t shown = 0;  // of a score of at least `shown_from`
  };

  float shown_from = 0;
  int64_t images = 0;
  std::map<std::pair<std::string, int>, Class> classes;  // by name and label

  void add(const ImageDetections& image) {
    ++images;
    for (const auto& [name, d] : image.detections) {
      Class& counts = classes[{name, d.label}];
      ++counts.detections;
      counts.shown += d.score >= shown_from;
    }
  }
};

}  // namespace tyto::apps

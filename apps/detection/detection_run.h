// Images and videos to lines of detections, and pictures of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <vector>

#include "apps/detection/batch_detector.h"
#include "apps/detection/detection_inputs.h"
#include "apps/detection/detection_journal.h"
#include "apps/detection/detection_pictures.h"
#include "apps/images/run_batches.h"

namespace tyto::apps {

struct DetectionRunOptions {
  BatchOptions images;
  int64_t every = 1;      // of a video's frames, each `every`th
  std::set<int> classes;  // labels to keep; empty: all
  PictureOptions pictures;
  std::filesystem::path trace;  // a folder for each image's raw tensors, or empty
};

// Detects what the journal lacks, and writes in the inputs' order, batch by batch: pictures first, then the
// lines, so that a line vouches for its pictures. What cannot be read is added to `skipped`. Throws
// Interrupted between batches. Returns how many images and frames were done.
int64_t detect_inputs(const std::vector<DetectionInput>& inputs, const Model& model, BatchDetector& detector,
                      const DetectionRunOptions& options, DetectionJournal& journal, SkippedInputs& skipped);

}  // namespace tyto::apps

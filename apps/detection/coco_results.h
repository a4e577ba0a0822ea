// COCO results: what detections are handed to COCO's evaluation as.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "apps/detection/coco_annotations.h"
#include "apps/detection/detection_inputs.h"
#include "apps/detection/detection_tally.h"

namespace tyto::apps {

// The image ids by name: the numbers that files are called by (000000397133.jpg is 397133), or, with
// annotations, those that CocoImageFinder finds. Error{Usage} for an image that has none, for two of one id,
// and for videos.
std::map<std::string, CocoId> coco_image_ids(const std::vector<DetectionInput>& inputs,
                                             const CocoAnnotations* annotations);

struct CocoResultsReport {
  LeftOut unknown_classes;   // detections of classes that the annotations lack
  bool by_label_id = false;  // despite annotations, for want of names
};

// A detections.jsonl as a JSON array of {"image_id", "category_id", "bbox", "score"}. Categories are the
// labels, or, with annotations, those that CocoCategoryFinder finds, if it finds any. tally: of the
// detections. Error{File}, Error{Format}.
CocoResultsReport write_coco_results(const std::filesystem::path& results,
                                     const std::filesystem::path& detections, const DetectionTally& tally,
                                     const std::map<std::string, CocoId>& image_ids,
                                     const CocoAnnotations* annotations);

}  // namespace tyto::apps

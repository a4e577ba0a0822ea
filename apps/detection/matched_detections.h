// Detections from files, brought to the images and categories of annotations.
#pragma once

#include <string>
#include <vector>

#include "apps/detection/coco_annotations.h"
#include "apps/detection/left_out.h"
#include "apps/detection/voc_annotations.h"
#include "engine/metrics/scored_box.h"

namespace tyto::apps {

struct MatchedDetections {
  std::vector<ScoredBox> boxes;  // in the files' order
  std::vector<std::string>
      unknown_images;  // of the files, not of the annotations; their detections are left out
  // Annotated images that no line of a detections.jsonl tells about; empty where only COCO results were read,
  // which have no lines of images without detections.
  std::vector<std::string> images_without_results;
  LeftOut unknown_classes;   // detections of classes that the annotations lack
  bool by_label_id = false;  // categories were found by number, for want of their names (COCO)
};

// Each file is a detections.jsonl, whose images and classes CocoImageFinder and CocoCategoryFinder find, or
// COCO results: a JSON array of {image_id, category_id, bbox, score}. Error{Format} where no image is known,
// no class of a detections.jsonl is, a name could mean two images or categories, or two lines are about one
// image.
MatchedDetections match_to_coco(const std::vector<std::string>& files, const CocoAnnotations& annotations);

// Each file is a detections.jsonl. Images are found by their file's name without extension, classes by name.
// Error{Format} where no image or no class is known, or two lines are about one image.
MatchedDetections match_to_voc(const std::vector<std::string>& files, const VocAnnotations& annotations);

}  // namespace tyto::apps

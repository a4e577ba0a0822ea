// Which annotated images the detections tell about, and which images nobody annotated.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "apps/detection/detections_file.h"
#include "apps/detection/matched_detections.h"

namespace tyto::apps {

class CoverageCheck {
 public:
  // names: of the annotated images; where: the annotations, for messages
  CoverageCheck(std::vector<std::string> names, std::string where);

  // A line of a detections.jsonl about the image at `index`, -1 where it is not known. Error{Format} where
  // that image had a line before.
  void add_line(int64_t index, const ImageDetections& line, const std::string& file);

  // A detection in COCO results, which may name an image many times.
  void add_result(int64_t index, const CocoId& image_id);

  // Fills unknown_images and images_without_results. Error{Format} where images were told about, but none is
  // known.
  void finish(MatchedDetections& matched) const;

 private:
  void add_unknown(const std::string& name);

  std::vector<std::string> names_;
  std::string where_;
  std::vector<char> seen_;  // of names_
  std::vector<std::string> unknown_;
  std::set<std::string> unknown_set_;
  bool any_known_ = false, any_line_ = false;
};

// Error{Format} names the file and the line's image where the box has a negative size.
ScoredBox scored_box(const Detection& detection, int64_t image, int category, const ImageDetections& line,
                     const std::string& file);

}  // namespace tyto::apps

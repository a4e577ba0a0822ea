// PASCAL VOC's average precision at IoU 0.5, by both of its rules.
//
// A class at a time, detections of all images by falling score (equal scores: in the order of images, then as
// given): each goes to the object of its image with the greatest IoU (of equal ones the first), whoever has
// it already. It is right where that object is free, wrong where it is taken or the IoU too small, and counts
// for nothing where the object is difficult.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/metrics/scored_box.h"

namespace tyto {

struct VocObject {
  int64_t image = 0;  // places in the caller's lists
  int category = 0;
  double xmin = 0, ymin = 0, xmax = 0, ymax = 0;  // as in the XML: first and last pixel, counted from 1
  bool difficult = false;
};

// Whose reading of the boxes. VOC counts pixels, both ends included; detectors give corners of pixels.
struct VocRule {
  std::string name;
  double last;           // an object spans [xmin - 1, xmax + last] in corners of pixels
  double extra;          // added to the right and bottom edges of both sides before the IoU
  bool match_at_half;    // an IoU of 0.5 is enough, or it must be greater
  bool decimal_recalls;  // recall 0.3 is reached by 3 of 10 (exact), or by numpy's 0.30000000000000004 alone
};

//               object               extra  match   recall
//   devkit      [xmin - 1, xmax]     0      >= 0.5  exact    VOCevaldet of VOCdevkit; its +1 seen in corners
//   ssd.pytorch [xmin - 1, xmax - 1] 0      > 0.5   numpy    amdegroot/ssd.pytorch's voc_eval
//   chainercv   [xmin - 1, xmax - 1] 1      >= 0.5  numpy    chainercv's and simple-faster-rcnn's evaluators
// Error{Usage} lists the names.
VocRule voc_rule(const std::string& name);
std::vector<std::string> voc_rule_names();

struct VocClassMetrics {
  int64_t objects = 0, difficult = 0;     // objects: difficult ones left out
  double ap_11_point = -1, ap_area = -1;  // in [0, 1]; -1 where there is no object
};

struct VocMetrics {
  double map_11_point = -1;              // VOC2007: mean precision at recalls 0, 0.1 ... 1
  double map_area = -1;                  // VOC2010 and later: area under the falling curve
  std::vector<VocClassMetrics> classes;  // [categories]
};

// Means are over the classes with an object that is not difficult; -1 without any. Every number is finite,
// widths and heights are not negative; Error{Usage} where a place is not in [0, images) or [0, categories).
VocMetrics voc_metrics(int64_t images, int categories, std::span<const VocObject> objects,
                       std::span<const ScoredBox> detections, const VocRule& rule);

}  // namespace tyto

// COCO's average precision and recall of boxes: COCOeval of pycocotools 2.0 with iouType "bbox", number for
// number.
//
// A class at a time: an image's 100 best detections look, best score first, for the free object with the
// greatest IoU at or above the threshold; an object that is ignored (a crowd, or outside the range of areas)
// is taken only where no other will do, crowds by any number of detections, and neither hit nor miss counts.
// The same holds for detections outside the range that match nothing. Equal scores stay in the order of
// images, then as given; of equal IoUs the later object wins.
#pragma once

#include <span>
#include <vector>

#include "engine/metrics/scored_box.h"

namespace tyto {

struct CocoObject {
  int64_t image = 0;  // places in the caller's lists
  int category = 0;
  double x = 0, y = 0, width = 0, height = 0;
  double area = 0;  // the annotation's, of the segment where there is one: it decides small, medium, large
  bool crowd = false;
};

struct CocoClassMetrics {
  int64_t objects = 0;        // crowds left out
  double ap = -1, ap50 = -1;  // all areas, 100 detections an image
};

// All in [0, 1], or -1 where no object is there to be found; such classes are left out of means.
struct CocoMetrics {
  double ap = -1, ap50 = -1, ap75 = -1;                 // IoU 0.50:0.05:0.95, 0.50, 0.75
  double ap_small = -1, ap_medium = -1, ap_large = -1;  // areas up to 32^2, to 96^2, beyond; limits in both
  double ar1 = -1, ar10 = -1, ar100 = -1;               // with so many detections an image and class
  double ar_small = -1, ar_medium = -1, ar_large = -1;
  std::vector<CocoClassMetrics> classes;  // [categories]
};

// Images and categories are numbered by rising id, as pycocotools walks them. Every number is finite; a box
// of negative width or height overlaps nothing, and a negative area lies in no range. Error{Usage} where a
// place is not in [0, images) or [0, categories).
CocoMetrics coco_metrics(int64_t images, int categories, std::span<const CocoObject> objects,
                         std::span<const ScoredBox> detections);

}  // namespace tyto

// An evaluation of detections for people and for programs.
#pragma once

#include <filesystem>
#include <string>

#include "apps/detection/coco_annotations.h"
#include "apps/detection/voc_annotations.h"

namespace tyto::apps {

// COCO's twelve numbers and the average precision of every class that has objects; ends with a line break.
std::string coco_text(const CocoMetrics& metrics, const CocoAnnotations& annotations, int64_t detections);

// {"rule": "COCO", "images": ..., "objects": ..., "detections": ..., "ap": ..., "ap50": ... "ar_large": ...,
//  "classes": [{"id": ..., "name": ..., "objects": ..., "ap": ..., "ap50": ...}]}
// Values in [0, 1] or, without objects, -1 (as pycocotools has it), in full precision; one line. Crowds are
// not among the objects.
std::string coco_json(const CocoMetrics& metrics, const CocoAnnotations& annotations, int64_t detections);

std::string voc_text(const VocMetrics& metrics, const VocAnnotations& annotations, const VocRule& rule,
                     int64_t detections);

// {"rule": "devkit", "split": ..., "images": ..., "objects": ..., "difficult": ..., "detections": ...,
//  "map_11_point": ..., "map_area": ...,
//  "classes": [{"name": ..., "objects": ..., "difficult": ..., "ap_11_point": ..., "ap_area": ...}]}
// Likewise; difficult objects are not among the objects.
std::string voc_json(const VocMetrics& metrics, const VocAnnotations& annotations, const VocRule& rule,
                     int64_t detections);

// FOLDER/evaluation.json; the folder is made.
void write_detection_report(const std::string& json, const std::filesystem::path& folder);

}  // namespace tyto::apps

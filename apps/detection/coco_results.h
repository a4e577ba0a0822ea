// COCO results: what detections are handed to COCO's evaluation as.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "apps/detection/coco_annotations.h"
#include "apps/detection/detection_inputs.h"

namespace tyto::apps {

// The image ids by name: the numbers that files are called by (000000397133.jpg is 397133), or, with annotations, the id
// of the image whose file_name is the end of the path. Error{Usage} for an image that has none, for two of one id, and
// for videos.
std::map<std::string, int64_t> coco_image_ids(const std::vector<DetectionInput>& inputs,
                                              const CocoAnnotations* annotations);

// A detections.jsonl as a JSON array of {"image_id", "category_id", "bbox", "score"}. Categories are the labels, or,
// where annotations have all names that were found, the ids of these names. Error{File}, Error{Format}.
void write_coco_results(const std::filesystem::path& results, const std::filesystem::path& detections,
                        const std::map<std::string, int64_t>& image_ids, const CocoAnnotations* annotations);

}  // namespace tyto::apps

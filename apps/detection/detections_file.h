// detections.jsonl: what `tyto detect` finds, one JSON object a line and image.
//
//   {"image": "clip.avi#120", "width": 768, "height": 576, "detections":
//     [{"label": "person", "label_id": 1, "score": 0.98, "bbox": [x, y, width, height]}, ...]}
//
// Boxes are COCO's: left, top, width, height in pixels of the original image, corners of pixels counted from
// 0. Detections stand by falling score; numbers are the shortest decimals that give the same float back.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tyto/detector.h"

namespace tyto::apps {

struct NamedDetection {
  std::string name;  // of the class
  Detection detection;

  bool operator==(const NamedDetection&) const = default;
};

struct ImageDetections {
  std::string image;  // a path as it was found, or "VIDEO#FRAME", frames counted from 0
  int width = 0, height = 0;
  std::vector<NamedDetection> detections;

  bool operator==(const ImageDetections&) const = default;
};

std::string to_json_line(const ImageDetections&);  // without the line's end

// Error{Format} names the file, the line and what is wrong with it.
ImageDetections from_json_line(const std::string& line, const std::filesystem::path& file,
                               int64_t line_number);

// Every line of a file. Error{File}, Error{Format}, which a cut last line is, too.
std::vector<ImageDetections> read_detections(const std::filesystem::path& file);

// The same line by line, of files that need not fit into memory.
void for_each_image(const std::filesystem::path& file,
                    const std::function<void(const ImageDetections&)>& visit);

}  // namespace tyto::apps

// The objects of a folder of PASCAL VOC's: Annotations/NAME.xml, listed by ImageSets/Main/SPLIT.txt.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/pipelines/voc_metrics.h"

namespace tyto::apps {

struct VocAnnotations {
  std::string folder, split;            // split: empty where the folder has no ImageSets
  std::vector<std::string> images;      // file names without extension, in the split's order
  std::vector<std::string> categories;  // sorted
  std::vector<VocObject> objects;       // image and category are places in the lists above
};

// split: empty takes test, else val; without ImageSets every .xml counts. Error{File}, Error{Usage} where
// there is no such split, Error{Format} names the file and the object.
VocAnnotations read_voc_annotations(const std::filesystem::path& folder, const std::string& split);

}  // namespace tyto::apps

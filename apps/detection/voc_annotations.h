// The objects of a folder of PASCAL VOC's: Annotations/NAME.xml, listed by ImageSets/Main/SPLIT.txt.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/metrics/voc_metrics.h"

namespace tyto::apps {

struct VocAnnotations {
  std::string folder, split;            // split: empty where the folder has no ImageSets
  std::vector<std::string> images;      // file names without extension, in the split's order
  std::vector<std::string> categories;  // sorted
  std::vector<VocObject> objects;       // image and category are indices in the lists above
  std::vector<std::string>
      skipped_objects;  // a sentence each that names the file, the object and what is wrong with it
};

// split: empty takes test, else val; without ImageSets every .xml counts. A line of a split is a name, with
// or without an extension, and the flag of a class (1, 0 or -1) behind it. An object without name or with an
// impossible box is skipped. Error{File}, Error{Usage} where there is no such split, Error{Format} names the
// file that is no annotation or has a class name in an encoding that is not read (UTF-8, UTF-16, UTF-32 and
// Latin-1 are).
VocAnnotations read_voc_annotations(const std::filesystem::path& folder, const std::string& split);

}  // namespace tyto::apps

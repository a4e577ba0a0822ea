// instances.json: the images, categories and objects of a COCO data set.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "engine/pipelines/coco_metrics.h"

namespace tyto::apps {

struct CocoImage {
  int64_t id = 0;
  std::string file_name;
};

struct CocoCategory {
  int64_t id = 0;
  std::string name;
};

struct CocoAnnotations {
  std::string file;
  std::vector<CocoImage> images;         // by rising id
  std::vector<CocoCategory> categories;  // by rising id
  std::vector<CocoObject> objects;  // in the file's order; image and category are places in the lists above
  bool has_object_0 = false;        // pycocotools takes a match with the object of id 0 for none
};

// Files of up to 512 MiB. Error{File}; Error{Format} names the element that lacks a field, has one of a wrong
// type or size, repeats an id or a name, or refers to an image or a category that is not there.
CocoAnnotations read_coco_annotations(const std::string& file);

// The place of an id in images or categories, or -1.
template <class Entry>
int64_t place_of(int64_t id, const std::vector<Entry>& by_id) {
  const auto found = std::lower_bound(by_id.begin(), by_id.end(), id,
                                      [](const Entry& entry, int64_t wanted) { return entry.id < wanted; });
  return found != by_id.end() && found->id == id ? found - by_id.begin() : -1;
}

}  // namespace tyto::apps

// instances.json: the images, categories and objects of a COCO data set. Whatever pycocotools evaluates is
// read.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "apps/detection/coco_id.h"
#include "apps/detection/left_out.h"
#include "engine/metrics/coco_metrics.h"

namespace tyto::apps {

struct CocoImage {
  CocoId id;
  std::string file_name;  // may be empty, and that of several images

  std::string shown() const { return file_name.empty() ? json_of(id) : file_name; }
};

struct CocoCategory {
  CocoId id;
  std::string name;  // may be empty, and that of several categories

  std::string shown() const { return name.empty() ? json_of(id) : name; }
};

struct CocoAnnotations {
  std::string file;
  std::vector<CocoImage> images;         // by rising id
  std::vector<CocoCategory> categories;  // by rising id
  std::vector<CocoObject> objects;  // in the file's order; image and category are indices in the lists above
  bool has_object_0 = false;        // pycocotools takes a match with the object of id 0 for none
  bool lists_objects = true;        // image_info files do not
  LeftOut of_unknown_images, of_unknown_categories;  // annotations that are not among the objects
  LeftOut repeated;                                  // images and categories, for a later one of the same id
};

// Files of up to 512 MiB. Error{File}; Error{Format} names the element that lacks a field that is needed, has
// one of a wrong type, or is an annotation of an id that another has.
CocoAnnotations read_coco_annotations(const std::string& file);

// The place of an id in images or categories, or -1.
template <class Entry>
int64_t index_of(const CocoId& id, const std::vector<Entry>& by_id) {
  const auto found =
      std::lower_bound(by_id.begin(), by_id.end(), id,
                       [](const Entry& entry, const CocoId& wanted) { return entry.id < wanted; });
  return found != by_id.end() && found->id == id ? found - by_id.begin() : -1;
}

// The place of the image or category that an annotation or a result refers to, or -1. Error{Format} where it
// does so by a text and the ids are numbers, or the other way round: pycocotools would find nothing.
template <class Entry, class Element>
int64_t referred_place(const Element& element, const char* key, const std::vector<Entry>& by_id) {
  const CocoId id = element.id(key);
  if (!by_id.empty() && id.index() != by_id.front().id.index())
    element.fail(std::string("has the ") + key + " " + json_of(id) + ", where the file's ids are like " +
                 json_of(by_id.front().id) + "; write both as numbers, or both as texts");
  return index_of(id, by_id);
}

}  // namespace tyto::apps

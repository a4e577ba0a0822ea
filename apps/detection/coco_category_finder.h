// Which category of COCO's annotations a detected class means.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "apps/detection/coco_annotations.h"
#include "apps/detection/detections_file.h"

namespace tyto::apps {

// By name; but where names are unknown, all label_ids are known, and these agree with the names that are
// known, by label_id. Two passes: see() every detection, then find().
class CocoCategoryFinder {
 public:
  explicit CocoCategoryFinder(const CocoAnnotations&);  // which must outlive it

  void see(const NamedDetection&);
  bool any_known() const { return any_name_ || any_label_; }
  bool by_label_id() const;

  // Its index, or -1. Error{Format} where two categories that have objects bear its name.
  int find(const NamedDetection&) const;

 private:
  struct Indices {
    int first = -1, second = -1;  // of those with objects, if any has some
  };

  int place_of_name(const std::string& name) const;
  int place_of_label(const NamedDetection&) const;

  const CocoAnnotations& annotations_;
  std::unordered_map<std::string, Indices> by_name_;
  bool any_name_ = false, all_names_ = true, any_label_ = false, all_labels_ = true, agree_ = true;
};

}  // namespace tyto::apps

// Which image of COCO's annotations a path means.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "apps/detection/coco_annotations.h"

namespace tyto::apps {

class CocoImageFinder {
 public:
  explicit CocoImageFinder(const CocoAnnotations&);  // which must outlive it

  // The place of the image whose file_name is the end of the path, or has the name of the path's file and is
  // the only one with it, or whose id that name is without extension ("000000000139"); or -1. Error{Format}
  // where images that are called alike are meant.
  int64_t find(const std::string& path) const;

 private:
  int64_t longest_end(const std::string& path, const std::vector<int64_t>& indices) const;
  int64_t by_id(const std::string& path) const;

  const CocoAnnotations& annotations_;
  std::unordered_map<std::string, std::vector<int64_t>> by_name_;  // by the last component of file_name
};

}  // namespace tyto::apps

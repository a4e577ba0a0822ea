// How an image's scored boxes fall into lists. A candidate's number is its place in the image's scores.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/common/host_device.h"
#include "kernels/detection/nms.h"

namespace tyto::kernels {

inline int64_t limited(int64_t count, int limit) {
  return limit > 0 ? std::min<int64_t>(count, limit) : count;
}

inline bool has_levels(const Nms& p) {
  return std::any_of(p.levels.begin(), p.levels.end(), [](int boxes) { return boxes != 0; });
}

struct NmsLists {
  int classes, count;  // of the scores
  int per_image;       // lists
  int longest;         // candidates of the longest
  bool by_level, class_boxes;
  std::array<int, kMaxLevels> levels;

  TYTO_HOST_DEVICE int first(int list) const {  // candidate
    if (!by_level) return list * count;
    int first = 0;
    for (int level = 0; level < list; ++level) first += levels[static_cast<size_t>(level)];
    return first;
  }
  TYTO_HOST_DEVICE int size(int list) const { return by_level ? levels[static_cast<size_t>(list)] : longest; }
  // The box's number among the image's boxes, of its class where each has its own.
  TYTO_HOST_DEVICE int64_t box(int candidate) const {
    return class_boxes ? int64_t{candidate % count} * classes + candidate / count : candidate % count;
  }
  TYTO_HOST_DEVICE int label(int list, int candidate) const {
    return (by_level ? list : candidate / count) + 1;
  }
  TYTO_HOST_DEVICE bool is_there(int candidate, int boxes) const { return candidate % count < boxes; }
};

// classes * count < 2^31.
inline NmsLists lists_of(const Nms& p, int64_t classes, int64_t count, bool class_boxes = false) {
  NmsLists lists = {.classes = static_cast<int>(classes),
                    .count = static_cast<int>(count),
                    .per_image = p.agnostic ? 1 : static_cast<int>(classes),
                    .longest = static_cast<int>(p.agnostic ? classes * count : count),
                    .by_level = has_levels(p),
                    .class_boxes = class_boxes,
                    .levels = p.levels};
  if (lists.by_level) {
    lists.per_image = kMaxLevels;
    while (p.levels[static_cast<size_t>(lists.per_image - 1)] == 0) --lists.per_image;
    lists.longest = *std::max_element(p.levels.begin(), p.levels.end());
  }
  return lists;
}

// Of a list of so many candidates, that suppression leaves and that can be rows of the image.
inline int64_t most_kept(const Nms& p, int64_t candidates) {
  const int64_t kept = limited(limited(candidates, p.top_k), p.max_per_class);
  return p.clip ? kept : limited(kept, p.max_detections);  // what is clipped may go, and others follow
}

}  // namespace tyto::kernels

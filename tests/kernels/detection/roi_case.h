// Regions for the tests of RoIPool and RoIAlign.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/blocked_batch.h"
#include "kernels/detection/random_boxes.h"
#include "kernels/detection/rois.h"

namespace tyto::kernels {

// Regions of an image of width x height: most within it, as proposals are; some of a whole number of halves,
// some reaching over the edge, some beside the image, some with corners exchanged, some of one point.
inline std::vector<float> random_regions(Numbers& numbers, int64_t count, float width, float height) {
  std::vector<float> rows;
  for (int64_t i = 0; i < count; ++i) {
    float x1 = numbers.between(0, width), y1 = numbers.between(0, height);
    float x2 = numbers.between(x1, width), y2 = numbers.between(y1, height);
    switch (i % 9) {
      case 5:
        for (float* v : {&x1, &y1, &x2, &y2}) *v = static_cast<float>(static_cast<int>(*v)) / 2;
        break;
      case 6:
        x2 += width, y1 -= height / 2;
        break;
      case 7:
        std::swap(x1, x2);
        break;
      case 8:
        x2 = x1, y2 = y1;
        break;
      case 4:
        if (i % 2 == 0) x1 += 2 * width, x2 += 2 * width;
        break;
    }
    rows.insert(rows.end(), {x1, y1, x2, y2});
  }
  return rows;
}

inline std::vector<BlockedBatch> one_map(const BatchShape& shape, int64_t block) {
  std::vector<BlockedBatch> maps;
  maps.emplace_back(shape, block);
  return maps;
}

// `rows` [n, capacity, 4] as nms() would have written them: other numbers behind each, and behind the last
// region of an image whatever there was.
struct RoiCase {
  std::vector<float> rows;  // [n, capacity, 6]
  std::vector<int32_t> counts;
  int64_t n, capacity;
  bool is_numbered = false;

  RoiCase(const std::vector<float>& boxes, std::vector<int32_t> counts_, int64_t capacity_)
      : counts(std::move(counts_)), n(static_cast<int64_t>(counts.size())), capacity(capacity_) {
    for (size_t i = 0; i < boxes.size(); i += 4)
      rows.insert(rows.end(), {boxes[i], boxes[i + 1], boxes[i + 2], boxes[i + 3], 0.5f, 1.0f});
  }

  Rois rois() const {
    return {rows.data(), 6, is_numbered ? nullptr : counts.data(), n, capacity, is_numbered};
  }

  // The same regions with their images' numbers, in turn one of each image, and rows that hold none between
  // them. `places`: of each row here the row there, or -1.
  RoiCase numbered(std::vector<int64_t>* places = nullptr) const {
    RoiCase c({}, std::vector<int32_t>(counts.size()), 0);
    c.is_numbered = true;
    const auto add = [&](float number, int64_t row) {
      const float* box = rows.data() + std::max<int64_t>(row, 0) * 6;
      c.rows.insert(c.rows.end(), {number, box[0], box[1], box[2], box[3], 7});
      if (places) places->push_back(row);
      ++c.capacity;
    };
    for (int64_t k = 0; k < capacity; ++k) {
      for (int64_t i = 0; i < n; ++i)
        if (k < counts[static_cast<size_t>(i)]) add(static_cast<float>(i), i * capacity + k);
      for (const float none : {-1.0f, static_cast<float>(n), 3e38f, std::numeric_limits<float>::quiet_NaN()})
        if (k % 5 == 2) add(none, -1);
    }
    return c;
  }
};

}  // namespace tyto::kernels

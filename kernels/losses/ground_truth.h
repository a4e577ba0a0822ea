// The objects of a batch of images, each image with its own number of them, none included.
#pragma once

#include <cstdint>

namespace tyto::kernels {

struct GroundTruth {
  const float* boxes = nullptr;     // [images, capacity, 4]: x1, y1, x2, y2
  const int32_t* labels = nullptr;  // [images, capacity]: classes of objects, from 0; null where nobody asks
  const int32_t* counts = nullptr;  // [images], 0 to capacity; null: all rows hold an object
  int64_t images = 0, capacity = 0;
};

}  // namespace tyto::kernels

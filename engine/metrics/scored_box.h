// A detection as the metrics take it.
#pragma once

#include <cstdint>

namespace tyto {

struct ScoredBox {
  int64_t image = 0;  // places in the caller's lists of images and of categories
  int category = 0;
  double x = 0, y = 0, width = 0, height = 0;  // pixels; corners counted from 0
  double score = 0;
};

// Error{Usage} unless a box's image is in [0, images) and its category in [0, categories).
void check_place(int64_t image, int category, int64_t images, int categories);

}  // namespace tyto

// Regions of interest: boxes whose number each image knows on the device alone.
#pragma once

#include <cstdint>

namespace tyto::kernels {

struct Rois {
  const float* rows = nullptr;      // [n, capacity, stride]: x1, y1, x2, y2 of the network's input, first
  int stride = 4;                   // floats a row; kDetectionRow of what nms() writes
  const int32_t* counts = nullptr;  // [n]: rows that hold a region; null: all
  int64_t n = 0, capacity = 0;

  int64_t total() const { return n * capacity; }
};

}  // namespace tyto::kernels

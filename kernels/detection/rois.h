// Regions of interest: boxes whose number each image knows on the device alone.
#pragma once

#include <cstdint>

#include "kernels/common/host_device.h"
#include "kernels/detection/iou.h"

namespace tyto::kernels {

struct Rois {
  const float* rows = nullptr;      // [n, capacity, stride]: x1, y1, x2, y2 of the network's input, first
  int stride = 4;                   // floats a row; kDetectionRow of what nms() writes
  const int32_t* counts = nullptr;  // [n]: rows that hold a region; null: all
  int64_t n = 0, capacity = 0;

  TYTO_HOST_DEVICE int64_t total() const { return n * capacity; }

  // Of all n * capacity rows: whether this one holds a region, and where it is.
  TYTO_HOST_DEVICE bool holds(int64_t row) const {
    return counts == nullptr || row % capacity < counts[row / capacity];
  }
  TYTO_HOST_DEVICE Box box(int64_t row) const {
    const float* at = rows + row * stride;
    return {at[0], at[1], at[2], at[3]};
  }
};

}  // namespace tyto::kernels

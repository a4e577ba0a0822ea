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
  // torchvision's form: rows are [capacity, stride], of all images, and before x1 stands the image's number.
  // A row whose number is none of 0..n - 1 holds no region; counts is null.
  bool numbered = false;

  TYTO_HOST_DEVICE int64_t total() const { return numbered ? capacity : n * capacity; }

  // Of all rows: whether this one holds a region, of which image, and where it is.
  TYTO_HOST_DEVICE bool holds(int64_t row) const {
    if (numbered) return image(row) >= 0;
    return counts == nullptr || row % capacity < counts[row / capacity];
  }
  TYTO_HOST_DEVICE int64_t image(int64_t row) const {
    if (!numbered) return row / capacity;
    const float number = rows[row * stride];
    const bool is_number = number >= 0 && number < 0x1p31f;
    return is_number && static_cast<int64_t>(number) < n ? static_cast<int64_t>(number) : -1;
  }
  TYTO_HOST_DEVICE Box box(int64_t row) const {
    const float* at = rows + row * stride + (numbered ? 1 : 0);
    return {at[0], at[1], at[2], at[3]};
  }

  // An image's regions are among the `capacity` rows from this one on.
  TYTO_HOST_DEVICE int64_t first_row(int64_t of_image) const { return numbered ? 0 : of_image * capacity; }
  // Whether such a row holds one.
  TYTO_HOST_DEVICE bool holds_of(int64_t row, int64_t of_image) const {
    return numbered ? image(row) == of_image : holds(row);
  }
};

}  // namespace tyto::kernels

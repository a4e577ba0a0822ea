// Where average pooling's windows lie, on either device.
#pragma once

#include <cstdint>

#include "kernels/common/host_device.h"
#include "kernels/pooling/average_pool.h"

namespace tyto::kernels {

// One axis of a window.
struct WindowSpan {
  int begin, end;  // in the map; empty where end <= begin
  int padded;      // cells in the padded map
};

TYTO_HOST_DEVICE inline WindowSpan window_span(int output, int kernel, int stride, int padding, int size) {
  const int64_t begin = static_cast<int64_t>(output) * stride - padding;
  const int64_t end = begin + kernel < size + padding ? begin + kernel : size + padding;
  return {static_cast<int>(begin < 0 ? 0 : begin), static_cast<int>(end < size ? end : size),
          static_cast<int>(end - begin)};
}

// What the sum over a window is divided by; 1 where it is empty.
TYTO_HOST_DEVICE inline float window_divisor(const AveragePoolWindow& window, const WindowSpan& rows,
                                             const WindowSpan& columns) {
  if (rows.end <= rows.begin || columns.end <= columns.begin) return 1;
  if (window.divisor != 0) return static_cast<float>(window.divisor);
  return window.count_padding
             ? static_cast<float>(rows.padded) * static_cast<float>(columns.padded)
             : static_cast<float>(rows.end - rows.begin) * static_cast<float>(columns.end - columns.begin);
}

}  // namespace tyto::kernels

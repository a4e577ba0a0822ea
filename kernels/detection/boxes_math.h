// The arithmetic of boxes.h, the same bits on CPU and CUDA (no multiply-add is fused), in operations that
// compilers turn into vector instructions.
#pragma once

#include <algorithm>

#include "kernels/common/exponential.h"
#include "kernels/common/host_device.h"
#include "kernels/detection/boxes.h"
#include "kernels/detection/iou.h"

namespace tyto::kernels {

struct CentredBox {
  float x, y, width, height;  // of the centre
};

[[gnu::always_inline]] TYTO_HOST_DEVICE inline CentredBox centred(const Box& b) {
  const float width = b.x2 - b.x1, height = b.y2 - b.y1;
  return {b.x1 + 0.5f * width, b.y1 + 0.5f * height, width, height};
}

struct Offsets {
  float x, y, log_width, log_height;
};

// From the order of a BoxCoding to that of the fields, and back.
[[gnu::always_inline]] TYTO_HOST_DEVICE inline Offsets in_order(const Offsets& o, const BoxCoding& coding) {
  return coding.y_first ? Offsets{o.y, o.x, o.log_height, o.log_width} : o;
}

// The box that offsets to `reference` mean.
[[gnu::always_inline]] TYTO_HOST_DEVICE inline Box decode(const Offsets& offsets, const CentredBox& reference,
                                                          const BoxCoding& coding) {
  const float dx = offsets.x * coding.variance[0], dy = offsets.y * coding.variance[1];
  const float log_width = offsets.log_width * coding.variance[2];
  const float log_height = offsets.log_height * coding.variance[3];
  const float x = reference.x + dx * reference.width, y = reference.y + dy * reference.height;
  // A NaN stays one: std::min returns its first argument unless the second is smaller.
  const float width = reference.width * exponential(std::min(log_width, coding.max_log_size));
  const float height = reference.height * exponential(std::min(log_height, coding.max_log_size));
  return {x - 0.5f * width, y - 0.5f * height, x + 0.5f * width, y + 0.5f * height};
}

// To 0..width and 0..height. A NaN stays one.
[[gnu::always_inline]] TYTO_HOST_DEVICE inline Box clipped(const Box& b, float width, float height) {
  return {std::clamp(b.x1, 0.0f, width), std::clamp(b.y1, 0.0f, height), std::clamp(b.x2, 0.0f, width),
          std::clamp(b.y2, 0.0f, height)};
}

inline void write(const Box& box, float* to) {
  to[0] = box.x1;
  to[1] = box.y1;
  to[2] = box.x2;
  to[3] = box.y2;
}

// A row of `sizes`.
struct ImageSizes {
  float height, width, original_height, original_width;

  // Simple-faster-rcnn-pytorch's scale, which serves both axes. NaN for no image.
  TYTO_HOST_DEVICE float scale() const { return width / original_width; }
};

}  // namespace tyto::kernels

// The integer arithmetic of Pillow's and OpenCV's resampling, shared by CPU and CUDA.
#pragma once

#include <cstdint>

#include "kernels/common/host_device.h"
#include "kernels/image/resample_axis.h"

namespace tyto::kernels {

inline constexpr int32_t kPilHalf = 1 << (kPilPrecisionBits - 1);  // where a sum of Pillow's starts

// Pillow's clip8: a sum to a byte.
TYTO_HOST_DEVICE inline uint8_t pil_byte(int32_t sum) {
  const int32_t value = sum >> kPilPrecisionBits;
  return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

// VResizeLinear for 8 bits: the products lose their low bits before they are added, as in OpenCV. `top` and
// `bottom` are sums along the row with weights in units of 2^-kCvCoefficientBits; a and b are weights in the
// same unit.
TYTO_HOST_DEVICE inline uint8_t cv_byte(int32_t top, int32_t bottom, int32_t a, int32_t b) {
  return static_cast<uint8_t>((((a * (top >> 4)) >> 16) + ((b * (bottom >> 4)) >> 16) + 2) >> 2);
}

// cv2.resize serves INTER_LINEAR with the mean of 2x2 pixels (INTER_AREA) where both sizes are exactly
// halved.
TYTO_HOST_DEVICE inline uint8_t mean_of_four(int32_t a, int32_t b, int32_t c, int32_t d) {
  return static_cast<uint8_t>((a + b + c + d + 2) >> 2);
}

}  // namespace tyto::kernels

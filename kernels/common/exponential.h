// e^x in operations that compilers turn into vector instructions, the same bits on every instruction set (no
// multiply-add is fused: compile with -ffp-contract=off, nvcc with -fmad=false).
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

#include "kernels/common/host_device.h"

namespace tyto::kernels {

// Within 2 ulp. 0 below -87, infinity above 88, NaN for NaN. x = n ln 2 + r, e^r by the polynomial of Cephes'
// expf.
[[gnu::always_inline]] TYTO_HOST_DEVICE inline float exponential(float x) {
  constexpr float kLow = -87.0f, kHigh = 88.0f;
  constexpr float kLog2E = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  constexpr float kToNearest = 12582912.0f;  // 1.5 * 2^23: a sum with it has no bits behind the point
  const float shifted = x * kLog2E + kToNearest, n = shifted - kToNearest;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  constexpr uint32_t kExponentBias = 127, kMantissaBits = 23;
  const float power =
      std::bit_cast<float>((std::bit_cast<uint32_t>(shifted) + kExponentBias) << kMantissaBits);
  const float e = p * power;
  const float above = x > kHigh ? std::numeric_limits<float>::infinity() : e;
  return x < kLow ? 0.0f : above;
}

}  // namespace tyto::kernels

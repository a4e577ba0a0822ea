// The natural logarithm in operations that compilers turn into vector instructions, the same bits on every
// instruction set (no multiply-add is fused: compile with -ffp-contract=off, nvcc with -fmad=false).
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

#include "kernels/common/host_device.h"

namespace tyto::kernels {

// Within 2 ulp. -infinity of 0, NaN of what is less and of NaN, infinity of infinity. x = m 2^e with m around
// 1, log m by the polynomial of Cephes' logf.
[[gnu::always_inline]] TYTO_HOST_DEVICE inline float logarithm(float x) {
  constexpr float kLeastNormal = 0x1p-126f, kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  constexpr uint32_t kRootHalf = 0x3F3504F3u, kOne = 0x3F800000u, kMantissa = 0x007FFFFFu;
  const bool subnormal = x < kLeastNormal;
  // From sqrt(1/2) on: what is less than that belongs to the exponent below.
  const uint32_t bits = std::bit_cast<uint32_t>(subnormal ? x * 0x1p24f : x) + (kOne - kRootHalf);
  const float e = static_cast<float>(static_cast<int32_t>(bits >> 23) - (subnormal ? 127 + 24 : 127));
  const float r = std::bit_cast<float>((bits & kMantissa) + kRootHalf) - 1.0f;
  float p = 7.0376836292e-2f;
  p = p * r - 1.1514610310e-1f;
  p = p * r + 1.1676998740e-1f;
  p = p * r - 1.2420140846e-1f;
  p = p * r + 1.4249322787e-1f;
  p = p * r - 1.6668057665e-1f;
  p = p * r + 2.0000714765e-1f;
  p = p * r - 2.4999993993e-1f;
  p = p * r + 3.3333331174e-1f;
  const float square = r * r;
  const float low = p * r * square + e * kLn2Low - 0.5f * square;
  const float log = e * kLn2High + (r + low);
  const float of_positive = x < kInfinity ? log : x;  // a NaN too
  const float of_zero = x == 0 ? -kInfinity : std::numeric_limits<float>::quiet_NaN();
  return x <= 0 ? of_zero : of_positive;
}

}  // namespace tyto::kernels

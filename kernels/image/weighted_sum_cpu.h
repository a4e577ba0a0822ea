// The inner loop of Pillow's resampling, for 32 neighbouring bytes at a time.
#pragma once

#include <cstdint>

namespace tyto::kernels {

inline constexpr int kWeightedSumBytes = 32;

// out[j] = clamp((2^21 + the sum over t < count of weights[t] * sources[t][offset + j]) >> 22, 0, 255) for
// the `bytes` neighbours j; the vector forms take 32 of them.
using WeightedSum = void (*)(const uint8_t* const* sources, int64_t offset, const int32_t* weights, int count,
                             uint8_t* out);
void weighted_sum_generic(const uint8_t* const* sources, int64_t offset, const int32_t* weights, int count,
                          uint8_t* out);
void weighted_sum_avx2(const uint8_t* const* sources, int64_t offset, const int32_t* weights, int count,
                       uint8_t* out);
void weighted_sum_few(const uint8_t* const* sources, int64_t offset, const int32_t* weights, int count,
                      uint8_t* out, int bytes);

WeightedSum fastest_weighted_sum();  // for this CPU

}  // namespace tyto::kernels

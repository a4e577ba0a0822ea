#include "kernels/image/weighted_sum_cpu.h"

#include <immintrin.h>

#include <algorithm>

#include "kernels/image/resize_math.h"

namespace tyto::kernels {

void weighted_sum_few(const uint8_t* const* sources, int64_t offset, const int32_t* weights, int count,
                      uint8_t* out, int bytes) {
  for (int j = 0; j < bytes; ++j) {
    int32_t sum = kPilHalf;
    for (int t = 0; t < count; ++t) sum += weights[t] * sources[t][offset + j];
    out[j] = pil_byte(sum);
  }
}

void weighted_sum_generic(const uint8_t* const* sources, int64_t offset, const int32_t* weights, int count,
                          uint8_t* out) {
  int32_t sums[kWeightedSumBytes];
  std::fill_n(sums, kWeightedSumBytes, kPilHalf);
  for (int t = 0; t < count; ++t) {
    const uint8_t* source = sources[t] + offset;
    for (int j = 0; j < kWeightedSumBytes; ++j) sums[j] += weights[t] * source[j];
  }
  for (int j = 0; j < kWeightedSumBytes; ++j) out[j] = pil_byte(sums[j]);
}

// Four sums of eight lanes stay in registers; compilers keep such an array in memory, at half the speed.
__attribute__((target("avx2"))) void weighted_sum_avx2(const uint8_t* const* sources, int64_t offset,
                                                       const int32_t* weights, int count, uint8_t* out) {
  const __m256i half = _mm256_set1_epi32(kPilHalf);
  __m256i sums[4] = {half, half, half, half};
  for (int t = 0; t < count; ++t) {
    const __m256i weight = _mm256_set1_epi32(weights[t]);
    const uint8_t* source = sources[t] + offset;
    for (int i = 0; i < 4; ++i) {
      const __m256i bytes =
          _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(source + 8 * i)));
      sums[i] = _mm256_add_epi32(sums[i], _mm256_mullo_epi32(bytes, weight));
    }
  }
  for (__m256i& sum : sums) sum = _mm256_srai_epi32(sum, kPilPrecisionBits);
  // Saturating packs clamp to 0..255, but interleave the 128-bit halves; the permutation undoes that.
  const __m256i low = _mm256_packs_epi32(sums[0], sums[1]);
  const __m256i high = _mm256_packs_epi32(sums[2], sums[3]);
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  const __m256i pixels = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), order);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), pixels);
}

WeightedSum fastest_weighted_sum() {
  return __builtin_cpu_supports("avx2") ? weighted_sum_avx2 : weighted_sum_generic;
}

}  // namespace tyto::kernels

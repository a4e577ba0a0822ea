// One unsigned number per (score, index) that sorts rising as rank.h orders.
#pragma once

#include <bit>
#include <cstdint>

namespace tyto::kernels {

// A finite or infinite float's bits, flipped so that unsigned comparison orders them as numbers, then
// inverted: the greatest score has the smallest key. NaN has the greatest of all.
inline uint64_t rank_key(float score, int32_t index) {
  const uint32_t bits = std::bit_cast<uint32_t>(score + 0.0f);  // + 0 turns -0 into +0
  const uint32_t rising = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  const uint32_t falling = score != score ? 0xFFFFFFFFu : ~rising;
  return static_cast<uint64_t>(falling) << 32 | static_cast<uint32_t>(index);
}

inline int32_t rank_key_index(uint64_t key) { return static_cast<int32_t>(static_cast<uint32_t>(key)); }

}  // namespace tyto::kernels

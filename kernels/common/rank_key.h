// One unsigned number per (score, index) that sorts rising as best first does: score falling, then index
// rising.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/common/host_device.h"

namespace tyto::kernels {

// A finite or infinite float's bits, flipped so that unsigned comparison orders them as numbers, then
// inverted: the greatest score has the smallest key. NaN has the greatest of all.
TYTO_HOST_DEVICE inline uint64_t rank_key(float score, int32_t index) {
  const uint32_t bits = std::bit_cast<uint32_t>(score + 0.0f);  // + 0 turns -0 into +0
  const uint32_t rising = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  const uint32_t falling = score != score ? 0xFFFFFFFFu : ~rising;
  return static_cast<uint64_t>(falling) << 32 | static_cast<uint32_t>(index);
}

TYTO_HOST_DEVICE inline int32_t rank_key_index(uint64_t key) {
  return static_cast<int32_t>(static_cast<uint32_t>(key));
}

// A NaN comes back as some NaN, -0 as 0.
TYTO_HOST_DEVICE inline float rank_key_score(uint64_t key) {
  const uint32_t rising = ~static_cast<uint32_t>(key >> 32);
  return std::bit_cast<float>(rising & 0x80000000u ? rising & 0x7FFFFFFFu : ~rising);
}

}  // namespace tyto::kernels

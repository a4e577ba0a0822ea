// The priorities of sample_order.h.
#pragma once

#include "kernels/common/host_device.h"
#include "kernels/losses/sample_order.h"

namespace tyto::kernels {

struct PhiloxWords {
  uint32_t words[4];
};

// Philox4x32-10 of Random123.
TYTO_HOST_DEVICE inline PhiloxWords philox(PhiloxWords counter, uint64_t seed) {
  uint32_t low = static_cast<uint32_t>(seed), high = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53u} * counter.words[0], b = uint64_t{0xCD9E8D57u} * counter.words[2];
    counter = {{static_cast<uint32_t>(b >> 32) ^ counter.words[1] ^ low, static_cast<uint32_t>(b),
                static_cast<uint32_t>(a >> 32) ^ counter.words[3] ^ high, static_cast<uint32_t>(a)}};
    low += 0x9E3779B9u;
    high += 0xBB67AE85u;
  }
  return counter;
}

enum class SamplePurpose : uint32_t { Anchors, Regions };

// Of candidate i of `candidates` of an image.
TYTO_HOST_DEVICE inline uint32_t priority_of(const SampleOrder& order, SamplePurpose purpose, int64_t image,
                                             int64_t candidates, int64_t i) {
  if (order.priorities != nullptr) return order.priorities[image * candidates + i];
  return philox({{static_cast<uint32_t>(i / 4), static_cast<uint32_t>(image), static_cast<uint32_t>(purpose),
                  0}},
                order.seed)
      .words[i % 4];
}

// The order of candidates in one number; i < 2^31, so that no key is the greatest number.
TYTO_HOST_DEVICE inline uint64_t sample_key(uint32_t priority, int64_t i) {
  return uint64_t{priority} << 32 | static_cast<uint64_t>(i);
}

}  // namespace tyto::kernels

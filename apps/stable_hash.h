// A hash that is the same on every machine and in every version: which shard an image belongs to, whether a
// record is whole.
#pragma once

#include <cstdint>
#include <string_view>

namespace tyto::apps {

// FNV-1a, 64 bits.
constexpr uint64_t stable_hash(std::string_view bytes) {
  uint64_t h = 0xcbf29ce484222325u;
  for (char c : bytes) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return h;
}

}  // namespace tyto::apps

// Random inputs, and floats compared by their bits: 0 and -0 differ, but a NaN is a NaN, for processors make
// different ones.
#pragma once

#include <bit>
#include <cstdint>
#include <random>
#include <vector>

namespace tyto::kernels {

inline std::vector<uint8_t> random_bytes(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<uint8_t> bytes(static_cast<size_t>(count));
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(random() >> 24);
  return bytes;
}

inline std::vector<float> random_floats(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = normal(random);
  return values;
}

inline std::vector<uint32_t> bits(const std::vector<float>& values) {
  std::vector<uint32_t> all;
  all.reserve(values.size());
  for (float v : values) all.push_back(v != v ? 0x7FC00000u : std::bit_cast<uint32_t>(v));
  return all;
}

}  // namespace tyto::kernels

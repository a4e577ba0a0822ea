// Random numbers for the tests of detection kernels, the same on every machine.
#pragma once

#include <cstdint>
#include <vector>

namespace tyto::kernels {

class Numbers {
 public:
  explicit Numbers(uint32_t seed) : state_(seed) {}
  uint32_t next() { return (state_ = state_ * 1664525u + 1013904223u) >> 8; }  // 24 bits
  float between(float low, float high) { return low + (high - low) * static_cast<float>(next()) * 0x1p-24f; }
  std::vector<float> vector(int64_t count, float low, float high) {
    std::vector<float> v(static_cast<size_t>(count));
    for (float& x : v) x = between(low, high);
    return v;
  }

 private:
  uint32_t state_;
};

// Boxes that overlap much: corners of x1 y1 x2 y2 within 0..1.
inline std::vector<float> crowded_boxes(Numbers& numbers, int64_t count) {
  std::vector<float> boxes;
  for (int64_t i = 0; i < count; ++i) {
    const float x = numbers.between(0, 0.6f), y = numbers.between(0, 0.6f);
    for (float v : {x, y, x + numbers.between(0.1f, 0.4f), y + numbers.between(0.1f, 0.4f)})
      boxes.push_back(v);
  }
  return boxes;
}

}  // namespace tyto::kernels

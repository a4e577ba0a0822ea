// The colours of an indexed image.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tyto::apps {

// 256 colours, R G B each; those that a file does not set are grey, as in PIL.
class Palette {
 public:
  Palette() {
    for (size_t i = 0; i < 256; ++i) set(i, uint8_t(i), uint8_t(i), uint8_t(i));
  }
  void set(size_t index, uint8_t red, uint8_t green, uint8_t blue) { colours_[index] = {red, green, blue}; }
  void paint(uint8_t index, uint8_t* rgb) const {
    for (size_t c = 0; c < 3; ++c) rgb[c] = colours_[index][c];
  }

 private:
  std::array<std::array<uint8_t, 3>, 256> colours_;
};

// Sample number `index` of a row of samples that are 1, 2, 4 or 8 bits wide, the first in the highest bits.
inline uint8_t packed_sample(const uint8_t* row, size_t index, unsigned bits) {
  const size_t bit = index * bits;
  return static_cast<uint8_t>(row[bit / 8] >> (8 - bits - bit % 8) & ((1u << bits) - 1));
}

}  // namespace tyto::apps

// Ink to light.
#pragma once

#include <cstdint>

namespace tyto::apps {

// As PIL converts, without colour profiles; 255 is full ink.
inline void cmyk_to_rgb(const uint8_t* cmyk, uint8_t* rgb) {
  const int light = 255 - cmyk[3];
  for (int c = 0; c < 3; ++c) {
    const int product = cmyk[c] * light + 128;
    rgb[c] =
        static_cast<uint8_t>(light - ((product + (product >> 8)) >> 8));  // of a product over 255, rounded
  }
}

}  // namespace tyto::apps

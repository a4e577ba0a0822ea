#include "apps/images/orientation.h"

#include <algorithm>
#include <string_view>

namespace tyto::apps {

int exif_orientation(std::span<const uint8_t> exif) {
  constexpr uint64_t orientation_tag = 0x0112, type_short = 3;
  const auto starts_with = [&](std::string_view text) {
    return exif.size() >= text.size() && std::equal(text.begin(), text.end(), exif.begin());
  };
  if (starts_with({"Exif\0\0", 6})) exif = exif.subspan(6);
  const bool little = starts_with("II");
  if (!little && !starts_with("MM")) return 1;
  const auto number = [&](uint64_t at, unsigned bytes) {  // 0 beyond the end
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes && at + bytes <= exif.size(); ++i)
      value |= uint64_t{exif[at + i]} << 8 * (little ? i : bytes - 1 - i);
    return value;
  };
  const uint64_t directory = number(4, 4);
  for (uint64_t i = 0; i < number(directory, 2); ++i) {
    const uint64_t entry = directory + 2 + 12 * i;
    if (number(entry, 2) != orientation_tag || number(entry + 2, 2) != type_short) continue;
    const uint64_t value = number(entry + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image upright(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  // Where the result's first pixel, its right and its lower neighbour lie in the source.
  const int64_t w = image.width, h = image.height;
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const int64_t first = (from_right ? w - 1 : 0) + (from_bottom ? (h - 1) * w : 0);
  int64_t right = from_right ? -1 : 1, down = from_bottom ? -w : w;
  const bool sideways = orientation >= 5;
  if (sideways) std::swap(right, down);

  Image turned{sideways ? image.height : image.width, sideways ? image.width : image.height,
               std::vector<uint8_t>(image.rgb.size())};
  uint8_t* out = turned.rgb.data();
  for (int64_t y = 0; y < turned.height; ++y)
    for (int64_t x = 0; x < turned.width; ++x, out += 3)
      std::copy_n(image.rgb.data() + 3 * (first + y * down + x * right), 3, out);
  return turned;
}

}  // namespace tyto::apps

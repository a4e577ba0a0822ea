// An 8-bit RGB image in host memory, as tyto's pipelines take it, and its way into a network's input.
#pragma once

#include <cstdint>
#include <vector>

namespace tyto {

struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;  // [height, width, 3]
};

// Where the image went: network pixel = original pixel * scale + offset, along each axis. Coordinates are
// those of pixel corners: an image w pixels wide spans 0..w.
struct Geometry {
  double scale_x = 1, scale_y = 1;
  double offset_x = 0, offset_y = 0;
  int width = 0, height = 0;                  // of the original
  int resized_width = 0, resized_height = 0;  // of all of it, of which the network's input may show a part

  bool operator==(const Geometry&) const = default;
};

}  // namespace tyto

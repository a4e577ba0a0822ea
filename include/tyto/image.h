// An 8-bit RGB image in host memory, as tyto's pipelines take it.
#pragma once

#include <cstdint>
#include <vector>

namespace tyto {

struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;  // [height, width, 3]
};

}  // namespace tyto

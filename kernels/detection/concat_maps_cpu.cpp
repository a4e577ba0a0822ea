#include "kernels/detection/concat_maps.h"

namespace tyto::kernels {
namespace {

// One cell's channels, in order.
void copy_cell(const ChannelBlocks<const float>& map, int64_t image, int64_t cell, float* to) {
  for (int64_t b = 0, c = 0; c < map.channels; ++b) {
    const float* from = map.at(image, b) + cell * map.block;
    for (int64_t lane = 0; lane < map.block && c < map.channels; ++lane, ++c) to[c] = from[lane];
  }
}

}  // namespace

void concat_maps_cpu(std::span<const ChannelBlocks<const float>> maps, float* rows) {
  int64_t image_size = 0;  // numbers an image
  for (const auto& map : maps) image_size += map.area() * map.channels;
  int64_t begin = 0;
  for (const auto& map : maps) {
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t image = 0; image < map.n; ++image)
      for (int64_t cell = 0; cell < map.area(); ++cell)
        copy_cell(map, image, cell, rows + image * image_size + begin + cell * map.channels);
    begin += map.area() * map.channels;
  }
}

}  // namespace tyto::kernels

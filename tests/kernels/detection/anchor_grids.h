// Anchor grids for the tests of detection kernels.
#pragma once

#include <utility>
#include <vector>

#include "kernels/detection/anchor_grid.h"

namespace tyto::kernels {

// torchvision's anchors of a feature pyramid whose maps have these rows and columns; strides differ.
inline AnchorGrid pyramid(const std::vector<std::pair<int, int>>& maps) {
  AnchorGrid grid;
  for (const auto& [rows, columns] : maps) {
    AnchorLevel& level = grid.levels[static_cast<size_t>(grid.count)];
    const float stride = static_cast<float>(4 << grid.count);
    level = {.rows = rows, .columns = columns, .stride_y = stride, .stride_x = stride + 1};
    rounded_anchors({0.5, 1, 2}, {8.0 * stride}, level);
    ++grid.count;
  }
  return grid;
}

// Simple-faster-rcnn-pytorch's.
inline AnchorGrid single_map(int rows, int columns) {
  AnchorGrid grid = {.count = 1};
  grid.levels[0] = {.rows = rows, .columns = columns, .stride_y = 16, .stride_x = 16};
  centred_anchors(16, {0.5, 1, 2}, {8, 16, 32}, grid.levels[0]);
  return grid;
}

}  // namespace tyto::kernels

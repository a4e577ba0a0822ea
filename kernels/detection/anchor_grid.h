// Anchors that repeat in every cell of one or several maps.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "kernels/common/stream.h"
#include "kernels/detection/iou.h"

namespace tyto::kernels {

inline constexpr int kMaxCellAnchors = 16, kMaxLevels = 8;

struct AnchorLevel {
  int rows = 0, columns = 0;         // cells
  float stride_y = 0, stride_x = 0;  // pixels of the network's input from cell to cell
  int per_cell = 0;
  std::array<Box, kMaxCellAnchors> cell = {};  // the anchors of cell (0, 0)

  int64_t count() const { return int64_t{rows} * columns * per_cell; }
};

// The levels' anchors one behind the other; of a level cells row by row, a cell's anchors fastest.
struct AnchorGrid {
  std::array<AnchorLevel, kMaxLevels> levels = {};
  int count = 0;  // of levels

  int64_t anchors() const;
};

// The anchors of cell (0, 0), ratios (height / width) slowest.
// simple-faster-rcnn-pytorch and chainercv: around (base / 2, base / 2), sides base * scale * sqrt(ratio).
std::span<const Box> centred_anchors(double base, std::span<const double> ratios,
                                     std::span<const double> scales, AnchorLevel& level);
// torchvision: around (0, 0), corners rounded half to even.
std::span<const Box> rounded_anchors(std::span<const double> ratios, std::span<const double> sizes,
                                     AnchorLevel& level);

// anchors  [grid.anchors(), 4]   x1, y1, x2, y2
void anchor_grid_cpu(const AnchorGrid& grid, float* anchors);
// The same bits. Device pointer, aligned to 16 bytes.
void anchor_grid(const AnchorGrid& grid, float* anchors, Stream stream);

}  // namespace tyto::kernels

// Anchors that repeat in every cell of one or several maps.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/common/stream.h"
#include "kernels/detection/boxes.h"
#include "kernels/detection/iou.h"

namespace tyto::kernels {

inline constexpr int kMaxCellAnchors = 16;

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

// These two set a level's `cell` and `per_cell`, ratios (height / width) slowest, with the bits of their
// source. std::invalid_argument for more than kMaxCellAnchors.
// simple-faster-rcnn-pytorch and chainercv: around (base / 2, base / 2), sides base * scale * sqrt(ratio) and
// its inverse; in double, corners rounded to float.
void centred_anchors(double base, const std::vector<double>& ratios, const std::vector<double>& scales,
                     AnchorLevel& level);
// torchvision's AnchorGenerator: around (0, 0), sides size * sqrt(ratio) and its inverse; in float, corners
// rounded to whole pixels, half to even.
void rounded_anchors(const std::vector<double>& ratios, const std::vector<double>& sizes, AnchorLevel& level);

// anchors  [grid.anchors(), 4]   x1, y1, x2, y2: those of cell (0, 0) moved by whole strides
void anchor_grid_cpu(const AnchorGrid& grid, float* anchors);
// The same bits. Device pointer, aligned to 16 bytes; grid.anchors() < 2^31.
void anchor_grid(const AnchorGrid& grid, float* anchors, Stream stream);

}  // namespace tyto::kernels

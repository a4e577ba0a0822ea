// Where an anchor stands, the same bits on CPU and CUDA.
#pragma once

#include "kernels/common/host_device.h"
#include "kernels/detection/anchor_grid.h"

namespace tyto::kernels {

struct AnchorPlace {
  int level, row, column, anchor;  // `anchor` of its cell
};

// Of anchor `i` of a grid that has it.
TYTO_HOST_DEVICE inline AnchorPlace anchor_place(const AnchorGrid& grid, unsigned i) {
  int level = 0;
  for (; level < grid.count - 1; ++level) {
    const AnchorLevel& l = grid.levels[level];
    const unsigned count = static_cast<unsigned>(l.rows) * l.columns * l.per_cell;
    if (i < count) break;
    i -= count;
  }
  const unsigned per_cell = grid.levels[level].per_cell, columns = grid.levels[level].columns;
  const unsigned cell = i / per_cell;
  return {level, static_cast<int>(cell / columns), static_cast<int>(cell % columns),
          static_cast<int>(i % per_cell)};
}

TYTO_HOST_DEVICE inline Box anchor_at(const AnchorGrid& grid, const AnchorPlace& p) {
  const AnchorLevel& level = grid.levels[p.level];
  const float x = static_cast<float>(p.column) * level.stride_x,
              y = static_cast<float>(p.row) * level.stride_y;
  const Box& box = level.cell[p.anchor];
  return {box.x1 + x, box.y1 + y, box.x2 + x, box.y2 + y};
}

// To the next anchor; from a grid's last one to none.
inline void advance(const AnchorGrid& grid, AnchorPlace& p) {
  if (++p.anchor < grid.levels[p.level].per_cell) return;
  p.anchor = 0;
  if (++p.column < grid.levels[p.level].columns) return;
  p.column = 0;
  if (++p.row < grid.levels[p.level].rows) return;
  p.row = 0;
  do ++p.level;
  while (p.level < grid.count && grid.levels[p.level].count() == 0);
}

}  // namespace tyto::kernels

// Grids seen from above: which cell a point falls into.
#pragma once

#include <cstdint>

#include "kernels/common/host_device.h"

namespace tyto::kernels {

// What a map of a grid has as its rows and its columns. Lift-Splat-Shoot and BEVFusion: x, y; BEVDet,
// BEVDepth and Fast-BEV: y, x. On a square grid a mistake goes unseen.
enum class GridAxes : uint8_t { XY, YX };

// How (p - lower) / step becomes an index. Truncate, toward zero, also takes the points that lie up to a
// whole cell below a lower bound into cell 0; all published poolings do that.
enum class CellRounding : uint8_t { Truncate, Floor };

// Axes x forward, y left, z up in the ego frame; x right, y forward in nuScenes' lidar frame. Metres.
struct BevGrid {
  double lower[3] = {-50, -50, -10};  // of the first cells' faces: x, y, z
  double step[3] = {0.5, 0.5, 20};    // a cell's sides, positive
  int cells[3] = {200, 200, 1};       // positive
  GridAxes axes = GridAxes::XY;
  CellRounding rounding = CellRounding::Truncate;

  TYTO_HOST_DEVICE int rows() const { return axes == GridAxes::XY ? cells[0] : cells[1]; }
  TYTO_HOST_DEVICE int columns() const { return axes == GridAxes::XY ? cells[1] : cells[0]; }
  TYTO_HOST_DEVICE int levels() const { return cells[2]; }
  TYTO_HOST_DEVICE int64_t size() const { return int64_t{cells[0]} * cells[1] * cells[2]; }  // < 2^31
  bool operator==(const BevGrid&) const = default;
};

// Along one axis, or -1. NaN is nowhere.
template <class C>
TYTO_HOST_DEVICE inline int index_along(C p, C lower, C step, int cells, CellRounding rounding) {
  const C at = (p - lower) / step;
  const C least = rounding == CellRounding::Truncate ? C(-1) : C(0);
  const bool inside = ((at > least) | (at == C(0))) & (at < C(cells));  // without a branch
  return inside ? static_cast<int>(at) : -1;
}

// (row * columns + column) * levels + level of a point, or -1. C: in what it is computed, float or double.
template <class C>
TYTO_HOST_DEVICE inline int cell_of(const BevGrid& grid, const C (&p)[3]) {
  // Neither loops nor early returns, so that the CPU does many points side by side.
  const CellRounding r = grid.rounding;
  const int x = index_along(p[0], C(grid.lower[0]), C(grid.step[0]), grid.cells[0], r);
  const int y = index_along(p[1], C(grid.lower[1]), C(grid.step[1]), grid.cells[1], r);
  const int z = index_along(p[2], C(grid.lower[2]), C(grid.step[2]), grid.cells[2], r);
  const bool is_xy = grid.axes == GridAxes::XY;
  const int cell = ((is_xy ? x : y) * grid.columns() + (is_xy ? y : x)) * grid.levels() + z;
  return (x | y | z) >= 0 ? cell : -1;
}

}  // namespace tyto::kernels

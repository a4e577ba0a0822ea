// The cells around a position on a map and their weights, shared by CPU and CUDA: compile without fused
// multiply-add. C: float or double.
#pragma once

#include <cmath>

#include "kernels/common/host_device.h"
#include "kernels/image/bicubic_math.h"
#include "kernels/image/grid_sample.h"

namespace tyto::kernels {

// Up to four cells along one axis. Those that lie beyond the map stand at its edge, so that they can be read,
// and their bit of `inside` is not set: what is read there does not count.
template <class C>
struct AxisCells {
  int index[4];
  C weight[4];
  unsigned inside;
};

// Cells along each axis.
TYTO_HOST_DEVICE constexpr int cells_of(Interpolation interpolation) {
  return interpolation == Interpolation::Nearest ? 1 : interpolation == Interpolation::Bilinear ? 2 : 4;
}

// -1 .. 1 to cells, as torch rounds it.
template <class C>
TYTO_HOST_DEVICE inline C cell_of_unit(C at, int size, bool align_corners) {
  return align_corners ? (at + C(1)) / C(2) * C(size - 1) : ((at + C(1)) * C(size) - C(1)) / C(2);
}

// NaN is cell 0.
template <class C>
TYTO_HOST_DEVICE inline C clamped_cell(C at, int size) {
  const C last = C(size - 1);
  return !(at > C(0)) ? C(0) : at < last ? at : last;
}

template <class C>
TYTO_HOST_DEVICE inline C reflected_cell(C at, int size, bool align_corners) {
  const C low = align_corners ? C(0) : C(-0.5), twice = align_corners ? C(2 * (size - 1)) : C(2) * C(size);
  if (twice == C(0)) return C(0);
  const C away = std::abs(at - low), rest = away - std::trunc(away / twice) * twice;
  return (rest < twice - rest ? rest : twice - rest) + low;
}

// Where a position lies after what stands beyond the map was folded onto it.
template <class C>
TYTO_HOST_DEVICE inline C folded_cell(C at, int size, SamplePadding padding, bool align_corners) {
  if (padding == SamplePadding::Zeros) return at;
  if (padding == SamplePadding::Reflection) at = reflected_cell(at, size, align_corners);
  return clamped_cell(at, size);
}

template <class C>
TYTO_HOST_DEVICE inline AxisCells<C> nearest_cells(C at, int size) {
  const C whole = std::rint(at);
  const bool inside = whole >= C(0) && whole < C(size);
  return {{inside ? static_cast<int>(whole) : 0}, {C(1)}, inside ? 1u : 0u};
}

template <class C>
TYTO_HOST_DEVICE inline AxisCells<C> bilinear_cells(C at, int size) {
  if (!(at > C(-1) && at < C(size))) return {{0, 0}, {C(0), C(0)}, 0};
  const C floor = std::floor(at), right = at - floor;
  const int first = static_cast<int>(floor);
  return {{first < 0 ? 0 : first, first + 1 < size ? first + 1 : first},
          {C(1) - right, right},
          (first >= 0 ? 1u : 0u) | (first + 1 < size ? 2u : 0u)};
}

template <class C>
TYTO_HOST_DEVICE inline AxisCells<C> cubic_cells(C at, int size, SamplePadding padding, bool align_corners) {
  const C t = at - std::floor(at);              // not a number for what is not finite,
  const C first = t == t ? std::floor(at) : t;  // which then is its every cell
  AxisCells<C> cells = {
      {}, {cubic_far(t + C(1)), cubic_near(t), cubic_near(C(1) - t), cubic_far(C(1) - t + C(1))}, 0};
  for (int k = 0; k < 4; ++k) {
    const C cell = folded_cell(first + C(k - 1), size, padding, align_corners);
    cells.index[k] = static_cast<int>(clamped_cell(cell, size));
    if (!(cell < C(0) || cell > C(size - 1))) cells.inside |= 1u << k;
  }
  return cells;
}

// Around cell `at`, counted in whole and broken cells.
template <class C>
TYTO_HOST_DEVICE inline AxisCells<C> cells_at(C at, int size, const GridSample& how) {
  if (how.interpolation == Interpolation::Bicubic)
    return cubic_cells(at, size, how.padding, how.align_corners);
  const C folded = folded_cell(at, size, how.padding, how.align_corners);
  return how.interpolation == Interpolation::Nearest ? nearest_cells(folded, size)
                                                     : bilinear_cells(folded, size);
}

}  // namespace tyto::kernels

// Where a homography leads, shared by CPU and CUDA: compile without fused multiply-add.
#pragma once

#include "kernels/bev/homography_warp.h"
#include "kernels/common/host_device.h"
#include "kernels/image/grid_sample_math.h"

namespace tyto::kernels {

struct WarpSizes {
  int height, width;          // of the image
  int out_height, out_width;  // of the result
};

// Cells along each axis of the image.
TYTO_HOST_DEVICE constexpr int cells_of(const HomographyWarp& warp) {
  return warp.coordinates == WarpCoordinates::Cam2Bev ? 2 : cells_of(warp.interpolation);
}

// How a position in the image is read, but for Cam2Bev's.
TYTO_HOST_DEVICE inline GridSample sampling_of(const HomographyWarp& warp) {
  return {warp.interpolation, warp.padding, warp.coordinates != WarpCoordinates::Edges};
}

// A place of the result as the homography takes it.
template <class C>
TYTO_HOST_DEVICE inline C warp_input(WarpCoordinates coordinates, int at, int size) {
  if (coordinates == WarpCoordinates::Pixels) return C(at);
  if (coordinates == WarpCoordinates::Edges) return C(2 * at + 1) / C(size) - C(1);
  if (size == 1) return coordinates == WarpCoordinates::Corners ? C(0) : C(-1);
  return C(2 * at) / C(size - 1) - C(1);
}

// Of Cam2Bev: two cells whose weights do not cancel, or none.
template <class C>
TYTO_HOST_DEVICE inline AxisCells<C> clamped_cells(C at, int size) {
  if (!(at > C(-1) && at < C(size - 1))) return {{0, 0}, {C(0), C(0)}, 0};
  const int first = static_cast<int>(at);
  return {{first, first + 1}, {C(first + 1) - at, at - C(first)}, 3};
}

// What comes out of the homography as cells of the image along one axis.
template <class C>
TYTO_HOST_DEVICE inline AxisCells<C> warp_cells(C to, int size, const HomographyWarp& warp) {
  if (warp.coordinates == WarpCoordinates::Cam2Bev) return clamped_cells((to + C(1)) / C(2) * C(size), size);
  const GridSample how = sampling_of(warp);
  return cells_at(
      warp.coordinates == WarpCoordinates::Pixels ? to : cell_of_unit(to, size, how.align_corners), size,
      how);
}

// The cells of the result's pixel; false where it has none.
template <class C>
TYTO_HOST_DEVICE inline bool locate_warped(const C* homography, const HomographyWarp& warp,
                                           const WarpSizes& sizes, int row, int column, AxisCells<C>& rows,
                                           AxisCells<C>& columns) {
  const C x = warp_input<C>(warp.coordinates, column, sizes.out_width),
          y = warp_input<C>(warp.coordinates, row, sizes.out_height);
  C to[3];
  for (int i = 0; i < 3; ++i)
    to[i] = homography[3 * i] * x + homography[3 * i + 1] * y + homography[3 * i + 2];
  if (warp.in_front_only && !(to[2] > C(0))) return false;
  rows = warp_cells(to[1] / to[2], sizes.height, warp);
  columns = warp_cells(to[0] / to[2], sizes.width, warp);
  return rows.inside != 0 && columns.inside != 0;
}

}  // namespace tyto::kernels

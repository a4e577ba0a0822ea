// Which points of the frustums fall into which cell: what pooling reads, made anew when a calibration
// changes.
//
// The points of one (camera, bin, column) lie on a line in space, so those of them that fall into one cell
// are neighbouring rows. Such a run is one record: lists shrink 5 to 27 times against one entry a point.
#pragma once

#include <cstdint>

#include "kernels/bev/bev_grid.h"
#include "kernels/bev/cameras.h"
#include "kernels/bev/frustum.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

struct BevIndexing {
  Frustum frustum;
  BevGrid grid;
  bool operator==(const BevIndexing&) const = default;
};

struct alignas(8) BevRun {  // moved whole
  int32_t column = 0;       // (camera * bins + bin) * width + the feature map's column
  uint16_t first_row = 0;   // of the feature map
  uint16_t rows = 0;        // at least 1

  bool operator==(const BevRun&) const = default;
};

// Int is int32_t or const int32_t, Run alike.
template <class Int, class Run>
struct BevIndexOf {
  Int* cell_starts = nullptr;  // [samples, cells + 1]: cell i has the runs cell_starts[i] .. cell_starts[i +
                               // 1]; the last is how many there are
  Run* runs = nullptr;   // [samples, bev_run_capacity()]: by cell, within it by (column, first_row) rising;
                         // those behind the last mean nothing
  Int* cells = nullptr;  // [samples, cameras, bins, height, width]: each point's cell, -1 outside the grid:
                         // for gradients. Null: not wanted
};
using BevIndex = BevIndexOf<const int32_t, const BevRun>;
using MutableBevIndex = BevIndexOf<int32_t, BevRun>;

inline BevIndex as_const(const MutableBevIndex& index) {
  return {index.cell_starts, index.runs, index.cells};
}

// Of one sample; cameras * frustum.points() < 2^31. A run may be of one point.
inline int64_t bev_run_capacity(const Frustum& frustum, int64_t cameras) {
  return cameras * frustum.points();
}

// ego = R K^-1 A^-1 (u d, v d, d) + t, of one fused 3x3 matrix a camera, in C. A matrix that has no inverse
// puts its camera's points nowhere. In double the counts are those of exact arithmetic but for points within
// some 1e-13 of a cell's face; in float as torch's, but for the order of the operations.
//
// changed    [samples] on the device (CPU: host): 0 leaves the sample's index as it is. Null: all are built
// workspace  of these bytes
//
// The CPU and CUDA give the same index. No allocation, no host synchronisation.
template <class M, class C = double>  // <float>, <double>, <float, float>
void build_bev_index_cpu(const CameraMatrices<M>&, const BevIndexing&, const int32_t* changed,
                         const MutableBevIndex&, void* workspace);
int64_t bev_index_cpu_workspace(const BevIndexing&, int64_t samples, int64_t cameras);

template <class M, class C = double>
void build_bev_index(const CameraMatrices<M>&, const BevIndexing&, const int32_t* changed,
                     const MutableBevIndex&, void* workspace, Stream);
int64_t bev_index_workspace(const BevIndexing&, int64_t samples, int64_t cameras);

}  // namespace tyto::kernels

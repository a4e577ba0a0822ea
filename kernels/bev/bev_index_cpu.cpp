#include <omp.h>

#include <algorithm>

#include "kernels/bev/bev_index.h"
#include "kernels/bev/camera_math.h"
#include "kernels/common/multiversion.h"
#include "kernels/common/workspace.h"

namespace tyto::kernels {
namespace {

constexpr int kLanes = 8;  // rows are computed so many at once
constexpr int kRows = 64;  // of a column that are looked at together

// The cells of `rows` points of one (camera, bin, column); rows and what v holds are padded to kLanes. By
// value: the cells that it writes are none of the grid's.
#define TYTO_OF(C)                                                                                          \
  TYTO_MULTIVERSION void cells_of_rows(Unprojection<C> m, BevGrid grid, C u, C depth, const C* v, int rows, \
                                       int32_t* cells) {                                                    \
    for (int y = 0; y < (rows + kLanes - 1) / kLanes * kLanes; ++y) {                                       \
      C p[3];                                                                                               \
      m.point(u, v[y], depth, p);                                                                           \
      cells[y] = cell_of(grid, p);                                                                          \
    }                                                                                                       \
  }
TYTO_OF(double)
TYTO_OF(float)
#undef TYTO_OF

// What is made of one sample after the other. A plane is a (camera, bin), whose runs stand together.
template <class C>
struct Memory {
  C* u;  // [width]
  C* v;  // [height, padded]
  Unprojection<C>* cameras;
  int32_t* counts;  // [planes]                       runs
  int32_t* cells;   // [planes, height * width]       theirs
  BevRun* runs;     // [planes, height * width]

  Memory(Workspace& workspace, const Frustum& f, int64_t cameras_)
      : u(workspace.take<C>(f.width)),
        v(workspace.take<C>(f.height + kLanes)),
        cameras(workspace.take<Unprojection<C>>(cameras_)),
        counts(workspace.take<int32_t>(cameras_ * f.bins)),
        cells(workspace.take<int32_t>(bev_run_capacity(f, cameras_))),
        runs(workspace.take<BevRun>(bev_run_capacity(f, cameras_))) {}
};

// Emits the runs of a plane, column by column, and writes its points' cells where they are wanted.
template <class C>
void runs_of_plane(const BevIndexing& p, const Memory<C>& m, int64_t plane, int32_t* all_cells) {
  const Frustum& f = p.frustum;
  const int64_t camera = plane / f.bins, first_point = plane * f.height * f.width;
  const C depth = C(f.first_depth) + C(plane % f.bins) * C(f.depth_step);
  BevRun* const begin = m.runs + first_point;
  BevRun* end = begin;
  for (int x = 0; x < f.width; ++x) {
    int32_t before = -1;
    for (int first = 0; first < f.height; first += kRows) {
      const int rows = std::min(kRows, f.height - first);
      int32_t cells[kRows];
      cells_of_rows(m.cameras[camera], p.grid, m.u[x], depth, m.v + first, rows, cells);
      for (int i = 0; i < rows; ++i) {
        if (cells[i] >= 0 && cells[i] == before) {
          ++end[-1].rows;
        } else if (cells[i] >= 0) {
          m.cells[first_point + (end - begin)] = cells[i];
          *end++ = {static_cast<int32_t>(plane * f.width + x), static_cast<uint16_t>(first + i), 1};
        }
        before = cells[i];
      }
      if (all_cells != nullptr)
        for (int i = 0; i < rows; ++i) all_cells[first_point + (first + i) * f.width + x] = cells[i];
    }
  }
  m.counts[plane] = static_cast<int32_t>(end - begin);
}

// Sorts the planes' runs by cell, stably. Each thread has a share of the cells, and looks at all runs: what
// it writes does not depend on how many there are.
template <class C>
void sort_share(const Memory<C>& m, int64_t planes, int64_t plane_points, int32_t first, int32_t end,
                int32_t* cell_starts, BevRun* runs) {
  std::fill(cell_starts + first, cell_starts + end, 0);
  int32_t before = 0;  // runs of the cells of others
  for (int64_t plane = 0; plane < planes; ++plane) {
    const int32_t* cells = m.cells + plane * plane_points;
    for (int32_t i = 0; i < m.counts[plane]; ++i) {
      before += cells[i] < first;
      if (cells[i] >= first && cells[i] < end) ++cell_starts[cells[i]];
    }
  }
  for (int32_t cell = first; cell < end; ++cell) before = cell_starts[cell] += before;
  for (int64_t plane = planes - 1; plane >= 0; --plane) {
    const int32_t* cells = m.cells + plane * plane_points;
    const BevRun* from = m.runs + plane * plane_points;
    for (int32_t i = m.counts[plane] - 1; i >= 0; --i)
      if (cells[i] >= first && cells[i] < end) runs[--cell_starts[cells[i]]] = from[i];
  }
}

}  // namespace

template <class M, class C>
void build_bev_index_cpu(const CameraMatrices<M>& matrices, const BevIndexing& p, const int32_t* changed,
                         const MutableBevIndex& index, void* memory) {
  const Frustum& f = p.frustum;
  const int64_t capacity = bev_run_capacity(f, matrices.cameras), planes = matrices.cameras * f.bins;
  const auto cells = static_cast<int32_t>(p.grid.size());
  Workspace workspace(memory);
  const Memory<C> m(workspace, f, matrices.cameras);
  for (int x = 0; x < f.width; ++x) m.u[x] = linspace_at(x, f.width, C(f.image_width - 1));
  for (int y = 0; y < f.height; ++y) m.v[y] = linspace_at(y, f.height, C(f.image_height - 1));
  std::fill_n(m.v + f.height, kLanes, C(0));
  for (int64_t sample = 0; sample < matrices.samples; ++sample) {
    if (changed != nullptr && changed[sample] == 0) continue;
    for (int64_t i = 0; i < matrices.cameras; ++i) {
      const int64_t at = sample * matrices.cameras + i;
      m.cameras[i] = unprojection_of<M, C>(
          matrices.intrinsics + 9 * at, matrices.camera_to_grid + 16 * at,
          matrices.image_augmentation != nullptr ? matrices.image_augmentation + 9 * at : nullptr);
    }
    int32_t* all_cells = index.cells != nullptr ? index.cells + sample * capacity : nullptr;
    int32_t* cell_starts = index.cell_starts + sample * (int64_t{cells} + 1);
    BevRun* runs = index.runs + sample * capacity;
    int32_t total = 0;
#pragma omp parallel
    {
#pragma omp for schedule(static) reduction(+ : total)
      for (int64_t plane = 0; plane < planes; ++plane) {
        runs_of_plane(p, m, plane, all_cells);
        total += m.counts[plane];
      }
      const int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
      sort_share(m, planes, f.points() / std::max(f.bins, 1), static_cast<int32_t>(cells * thread / threads),
                 static_cast<int32_t>(cells * (thread + 1) / threads), cell_starts, runs);
    }
    cell_starts[cells] = total;
  }
}

int64_t bev_index_cpu_workspace(const BevIndexing& p, int64_t, int64_t cameras) {
  Workspace workspace;
  Memory<double>(workspace, p.frustum, cameras);
  return workspace.bytes();
}

#define TYTO_INSTANTIATE(M, C)                                                                          \
  template void build_bev_index_cpu<M, C>(const CameraMatrices<M>&, const BevIndexing&, const int32_t*, \
                                          const MutableBevIndex&, void*);
TYTO_INSTANTIATE(double, double)
TYTO_INSTANTIATE(float, double)
TYTO_INSTANTIATE(float, float)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

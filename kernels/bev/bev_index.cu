// The index of frustums in five steps that never ask the host. A thread a camera fuses its matrices; a thread
// a (camera, bin, column) walks its rows, stages the runs that it finds and counts them; blocks that know how
// many the blocks before found list them in the frustum's order; a radix sort brings them into the order of
// cells; each cell looks up where it begins.
//
// Cost: some 30 operations in C and three quotients a point, bound by the double units where a GPU has few;
// 12 bytes a run written twice and read once before the sort. The grids are as large as the most runs could
// make them, but blocks without runs return at once.
#include <algorithm>

#include "kernels/bev/bev_index.h"
#include "kernels/bev/camera_math.h"
#include "kernels/common/block_scan.cuh"
#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/radix_sort.cuh"
#include "kernels/common/workspace.h"

namespace tyto::kernels {
namespace {

constexpr int kColumns = 128;  // of a block
constexpr int kCells = 256;    // of a block

using RunLists = KeyedLists<BevRun>;  // by the cell

// What is so of each sample.
struct Sizes {
  int64_t capacity;            // points
  int columns, column_blocks;  // at least one block, which says that there are no runs
  int cells;
};

template <class C>
struct Memory {
  Unprojection<C>* cameras;     // [samples, cameras]
  int32_t* column_runs;         // [samples, columns]
  int32_t* block_runs;          // [samples, column_blocks]
  int32_t* run_counts;          // [samples], 0 of one that has not changed
  uint32_t *keys, *other_keys;  // [samples, capacity]
  BevRun* runs;                 // [samples, capacity]; the other's are the index's
  int32_t* table;

  Memory(Workspace& workspace, const Sizes& s, int64_t samples, int64_t cameras_)
      : cameras(workspace.take<Unprojection<C>>(samples * cameras_)),
        column_runs(workspace.take<int32_t>(samples * s.columns)),
        block_runs(workspace.take<int32_t>(samples * s.column_blocks)),
        run_counts(workspace.take<int32_t>(samples)),
        keys(workspace.take<uint32_t>(samples * s.capacity)),
        other_keys(workspace.take<uint32_t>(samples * s.capacity)),
        runs(workspace.take<BevRun>(samples * s.capacity)),
        table(workspace.take<int32_t>(radix_table_size(samples, s.capacity))) {}
};

Sizes sizes_of(const BevIndexing& p, int64_t cameras) {
  const int columns = checked_int(cameras * p.frustum.columns(), "the columns of a rig's frustums");
  return {checked_int(bev_run_capacity(p.frustum, cameras), "the points of a rig's frustums"), columns,
          std::max(1, (columns + kColumns - 1) / kColumns),
          checked_int(p.grid.size(), "the cells of a grid")};
}

__device__ bool is_wanted(const int32_t* changed, int64_t sample) {
  return changed == nullptr || changed[sample] != 0;
}

template <class M, class C>
__global__ void __launch_bounds__(kColumns)
    fuse_matrices_kernel(CameraMatrices<M> in, const int32_t* __restrict__ changed,
                         Unprojection<C>* __restrict__ cameras) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kColumns + threadIdx.x;
  if (i >= in.samples * in.cameras || !is_wanted(changed, i / in.cameras)) return;
  const Unprojection<C> m =
      unprojection_of<M, C>(in.intrinsics + 9 * i, in.camera_to_grid + 16 * i,
                            in.image_augmentation != nullptr ? in.image_augmentation + 9 * i : nullptr);
  for (int k = 0; k < 9; ++k) cameras[i].linear[k] = m.linear[k];
  for (int k = 0; k < 3; ++k) cameras[i].offset[k] = m.offset[k];
}

// Stages the run number r of a column at r * columns + column.
template <class C>
__global__ void __launch_bounds__(kColumns)
    find_runs_kernel(BevIndexing p, Sizes s, const Unprojection<C>* __restrict__ unprojections, int cameras,
                     const int32_t* __restrict__ changed, RunLists staged, int32_t* __restrict__ column_runs,
                     int32_t* __restrict__ block_runs, int32_t* __restrict__ cells) {
  TYTO_SHARED_ARRAY(int, partial, kColumns / kWarp);
  const int64_t sample = blockIdx.x / s.column_blocks;
  if (!is_wanted(changed, sample)) return;
  const int column = blockIdx.x % s.column_blocks * kColumns + threadIdx.x;
  int count = 0;
  if (column < s.columns) {
    const Frustum& f = p.frustum;
    const int plane = column / f.width, x = column % f.width;
    const Unprojection<C> m = unprojections[sample * cameras + plane / f.bins];
    const C u = linspace_at(x, f.width, C(f.image_width - 1));
    const C depth = C(f.first_depth) + C(plane % f.bins) * C(f.depth_step);
    const int64_t first_point = sample * s.capacity + static_cast<int64_t>(plane) * f.height * f.width + x;
    int first_row = 0, before = -1;
    for (int y = 0; y <= f.height; ++y) {  // the last ends a run
      int cell = -1;
      if (y < f.height) {
        C point[3];
        m.point(u, linspace_at(y, f.height, C(f.image_height - 1)), depth, point);
        cell = cell_of(p.grid, point);
        if (cells != nullptr) cells[first_point + static_cast<int64_t>(y) * f.width] = cell;
      }
      if (cell == before) continue;
      if (before >= 0) {
        const int64_t at = sample * s.capacity + static_cast<int64_t>(count++) * s.columns + column;
        staged.keys[at] = static_cast<uint32_t>(before);
        const BevRun run = {column, static_cast<uint16_t>(first_row), static_cast<uint16_t>(y - first_row)};
        copy_pack(run, staged.values[at]);
      }
      first_row = y;
      before = cell;
    }
    column_runs[sample * s.columns + column] = count;
  }
  const int total = block_scan<kColumns>(count, partial).total;
  if (threadIdx.x == 0) block_runs[blockIdx.x] = total;
}

// Lists the staged runs in the order of their columns.
__global__ void __launch_bounds__(kColumns)
    list_runs_kernel(Sizes s, const int32_t* __restrict__ changed, RunLists staged,
                     const int32_t* __restrict__ column_runs, const int32_t* __restrict__ block_runs,
                     RunLists listed, int32_t* __restrict__ run_counts) {
  TYTO_SHARED_ARRAY(int, partial, 2 * kColumns / kWarp);
  TYTO_SHARED_ARRAY(int, first_of, kColumns);
  const int64_t sample = blockIdx.x / s.column_blocks;
  const int block = blockIdx.x % s.column_blocks, thread = threadIdx.x;
  const bool is_last = block == s.column_blocks - 1 && thread == 0;
  if (!is_wanted(changed, sample)) {
    if (is_last) run_counts[sample] = 0;
    return;
  }
  int before = 0;
  for (int b = thread; b < block; b += kColumns) before += block_runs[sample * s.column_blocks + b];
  before = block_scan<kColumns>(before, partial).total;
  const int column = block * kColumns + thread;
  const int own = column < s.columns ? column_runs[sample * s.columns + column] : 0;
  const Scanned runs = block_scan<kColumns>(own, partial + kColumns / kWarp);
  first_of[thread] = runs.before;
  __syncthreads();
  for (int i = thread; i < runs.total; i += kColumns) {
    int of = 0;  // the last column that begins at i or before
#pragma unroll
    for (int step = kColumns / 2; step > 0; step /= 2)
      if (first_of[of + step] <= i) of += step;
    const int64_t first = sample * s.capacity;
    const int64_t from = first + static_cast<int64_t>(i - first_of[of]) * s.columns + block * kColumns + of;
    listed.keys[first + before + i] = staged.keys[from];
    copy_pack(staged.values[from], listed.values[first + before + i]);
  }
  if (is_last) run_counts[sample] = before + runs.total;
}

// A thread a cell, and one for the end.
__global__ void __launch_bounds__(kCells)
    find_cells_kernel(Sizes s, int64_t samples, const int32_t* __restrict__ changed,
                      const uint32_t* __restrict__ keys, const int32_t* __restrict__ run_counts,
                      int32_t* __restrict__ cell_starts) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kCells + threadIdx.x;
  const int64_t sample = i / (s.cells + 1);
  if (sample >= samples || !is_wanted(changed, sample)) return;
  const auto cell = static_cast<uint32_t>(i - sample * (s.cells + 1));
  keys += sample * s.capacity;
  int low = 0, high = run_counts[sample];
  while (low < high) {
    const int middle = low + (high - low) / 2;
    if (keys[middle] < cell)
      low = middle + 1;
    else
      high = middle;
  }
  cell_starts[i] = low;
}

}  // namespace

template <class M, class C>
void build_bev_index(const CameraMatrices<M>& matrices, const BevIndexing& p, const int32_t* changed,
                     const MutableBevIndex& index, void* memory, Stream stream) {
  const Sizes s = sizes_of(p, matrices.cameras);
  const int64_t samples = matrices.samples;
  const auto cameras = static_cast<int>(matrices.cameras);
  const auto limit = static_cast<uint32_t>(s.cells);
  Workspace workspace(memory);
  const Memory<C> m(workspace, s, samples, cameras);
  // Sorting brings the runs from one to the other and back, so that they end in the index.
  const bool begins_in_index = radix_digits(limit) % 2 == 0;
  const RunLists in_index = {m.keys, index.runs}, in_memory = {m.other_keys, m.runs};
  const RunLists &listed = begins_in_index ? in_index : in_memory,
                 &staged = begins_in_index ? in_memory : in_index;
  const LaunchConfig columns = {
      .grid = blocks_for(samples * s.column_blocks, 1), .block = kColumns, .stream = stream};
  launch<fuse_matrices_kernel<M, C>>(
      {.grid = blocks_for(samples * cameras, kColumns), .block = kColumns, .stream = stream}, matrices,
      changed, m.cameras);
  launch<find_runs_kernel<C>>(columns, p, s, m.cameras, cameras, changed, staged, m.column_runs, m.block_runs,
                              index.cells);
  launch<list_runs_kernel>(columns, s, changed, staged, m.column_runs, m.block_runs, listed, m.run_counts);
  radix_sort(listed, staged, m.run_counts, samples, s.capacity, limit, m.table, stream);
  launch<find_cells_kernel>(
      {.grid = blocks_for(samples * (int64_t{s.cells} + 1), kCells), .block = kCells, .stream = stream}, s,
      samples, changed, m.keys, m.run_counts, index.cell_starts);
}

int64_t bev_index_workspace(const BevIndexing& p, int64_t samples, int64_t cameras) {
  Workspace workspace;
  Memory<double>(workspace, sizes_of(p, cameras), samples, cameras);
  return workspace.bytes();
}

#define TYTO_INSTANTIATE(M, C)                                                                      \
  template void build_bev_index<M, C>(const CameraMatrices<M>&, const BevIndexing&, const int32_t*, \
                                      const MutableBevIndex&, void*, Stream);
TYTO_INSTANTIATE(double, double)
TYTO_INSTANTIATE(float, double)
TYTO_INSTANTIATE(float, float)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

// What the instrument counts of BEV pooling, beside the bytes that a list of points would move.
#include <gtest/gtest.h>

#include <algorithm>

#include "emulation/instrument/instrument.h"
#include "kernels/bev/bev_reference.h"
#include "kernels/cuda/array_batch.h"

namespace tyto::kernels {
namespace {

struct Moved {
  double bytes = 0, sectors = 0, ideal_sectors = 0;  // bytes: each launch's once
};

Moved moved_since_last_call() {
  cudaDeviceSynchronize();
  Moved all;
  for (const auto& kernel : emulation::instrument::take_profile())
    for (const auto& launch : kernel.launches) {
      all.bytes += static_cast<double>(launch.distinct_bytes_read + launch.distinct_bytes_written);
      all.sectors += static_cast<double>(launch.counts.sectors);
      all.ideal_sectors += static_cast<double>(launch.counts.ideal_sectors);
    }
  return all;
}

// The bytes over those of B_idx (depth of kept points, features and the result once, 4 bytes a point and 12 a
// cell that has points) of one camera of a case over the cells before it.
template <class T>
double bytes_of_front_camera(const char* name, int cells, int64_t block) {
  bev_rig::BevCase c = bev_rig::bev_case(name);
  c.grid.lower[0] = 2, c.grid.lower[1] = -c.grid.step[1] * cells / 2;
  c.grid.cells[0] = c.grid.cells[1] = cells;
  const Frustum& f = c.frustum;
  const std::vector<int32_t> rig = bev_reference::cells_of(c);
  const std::vector<int32_t> of_points(rig.begin() + f.points(), rig.begin() + 2 * f.points());
  const auto index = bev_reference::index_of(of_points, f, c.grid, 1, 1);
  int64_t kept = 0, used = 0;
  for (int32_t cell : of_points) kept += cell >= 0;
  for (size_t i = 0; i + 1 < index.cell_starts.size(); ++i)
    used += index.cell_starts[i] < index.cell_starts[i + 1];

  const int64_t pixels = int64_t{f.height} * f.width, size = c.grid.size() * c.channels;
  const ArrayBatch<T> depth(f.points(), 1), features(pixels * c.channels, 2);
  const DeviceArray<int32_t> cell_starts(index.cell_starts);
  const DeviceArray<BevRun> runs(index.runs);
  DeviceArray<T> out(size);
  const BevPool p{f, c.grid};
  DeviceArray<char> workspace(bev_pool_workspace<T>(p, 1, 1, c.channels));
  moved_since_last_call();
  const int64_t of_block = block > 0 ? block : c.channels;
  bev_pool<T>({depth.address(), DepthBins::Last, f.bins, features.address(), c.channels, 1, 1, c.channels},
              {cell_starts.data(), runs.data(), nullptr}, p,
              {out.data(), 1, c.channels, cells, cells, of_block, size, of_block * cells * cells}, nullptr,
              workspace.data(), nullptr);
  const Moved moved = moved_since_last_call();
  EXPECT_LE(moved.sectors, 1.25 * moved.ideal_sectors) << name << ": " << moved.sectors / moved.ideal_sectors;
  const auto listed = static_cast<double>(kept * 4 + used * 12);
  return moved.bytes / (static_cast<double>(kept + pixels * c.channels + size) * sizeof(T) + listed);
}

// At a sixteenth of B1's cells: the result is most of it.
TEST(BevCounts, OfASparseGrid) {
  EXPECT_LE(bytes_of_front_camera<__half>("B1", 50, 0), 1.15);
  EXPECT_LE(bytes_of_front_camera<float>("B1", 50, 1), 1.15);
}

// Runs say in 8 bytes what points say in many times four.
TEST(BevCounts, OfADenseGridAreBelowThoseOfPoints) {
  EXPECT_LT(bytes_of_front_camera<__half>("B8", 64, 0), 1);
  EXPECT_LT(bytes_of_front_camera<__half>("B3", 64, 1), 1);
}

}  // namespace
}  // namespace tyto::kernels

// What the instrument counts of BEV pooling's gradient: the bytes that its launches move, each launch's once,
// beside those that bev_pool_backward.cu names.
#include <set>

#include "emulation/instrument/instrument.h"
#include "kernels/bev/bev_pool_backward_device.h"

namespace tyto::kernels::bev_gradients {
namespace {

double bytes_since_last_call() {
  cudaDeviceSynchronize();
  double bytes = 0;
  for (const auto& kernel : emulation::instrument::take_profile())
    for (const auto& launch : kernel.launches)
      bytes += static_cast<double>(launch.distinct_bytes_read + launch.distinct_bytes_written);
  return bytes;
}

// P pixels, D bins, C channels, U cells in use: 4 PD + 2b PD + 2b PC + b UC.
template <class T>
double named_bytes(const Case& c) {
  const auto pixels = static_cast<double>(c.pixels()), bins = static_cast<double>(c.pool.frustum.bins),
             channels = static_cast<double>(c.maps.channels), b = double{sizeof(Stored<T>)};
  std::set<int32_t> used(c.cells.begin(), c.cells.end());
  used.erase(-1);
  return pixels * ((4 + 2 * b) * bins + 2 * b * channels) + b * static_cast<double>(used.size()) * channels;
}

template <class T>
void expect_counted(const Case& c, double more) {
  const Problem p = problem_of<T>(c);
  bytes_since_last_call();
  OnDevice{}.of<T>(p);
  const double named = named_bytes<T>(c) + more, moved = bytes_since_last_call();
  EXPECT_LE(moved, 1.01 * named) << moved / named;
}

TEST(BevBackwardCounts, OfASum) {
  expect_counted<float>(sixteenth_of_b1(), 0);
  expect_counted<Half>(sixteenth_of_b1(), 0);
}

// Runs and starts are read, shares written and read.
TEST(BevBackwardCounts, OfAMean) {
  Case c = sixteenth_of_b1();
  c.pool.reduction = BevReduction::Mean;
  const auto index = bev_reference::index_of(c.cells, c.pool.frustum, c.pool.grid, 1, 1);
  const auto cells = static_cast<double>(c.pool.grid.size());
  expect_counted<float>(c, 8.0 * index.cell_starts.back() + 12 * cells);
}

TEST(BevBackwardCounts, OfTheLargest) {
  Case c = sixteenth_of_b1();
  c.pool.reduction = BevReduction::Max;
  const std::set<int32_t> used(c.cells.begin(), c.cells.end());
  expect_counted<float>(c, 4.0 * static_cast<double>(used.size() * 64));
}

}  // namespace
}  // namespace tyto::kernels::bev_gradients

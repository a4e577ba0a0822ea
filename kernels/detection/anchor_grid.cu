// A grid's anchors. A thread an anchor, from the cell's in the kernel's parameters: 16 bytes written, three
// integer divisions. Only who wants to see them needs them; decode_proposals makes its own in registers.
#include "kernels/detection/anchor_grid.h"

#include "kernels/common/launch.h"
#include "kernels/detection/anchor_grid_math.h"
#include "kernels/detection/boxes.cuh"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256;

__global__ void __launch_bounds__(kBlock)
    anchor_grid_kernel(const __grid_constant__ AnchorGrid grid, unsigned total, float* __restrict__ anchors) {
  const unsigned i = blockIdx.x * kBlock + threadIdx.x;
  if (i >= total) return;
  store(anchor_at(grid, anchor_place(grid, i)), anchors + int64_t{4} * i);
}

}  // namespace

void anchor_grid(const AnchorGrid& grid, float* anchors, Stream stream) {
  const int total = checked_int(grid.anchors(), "a grid's anchors");
  launch<anchor_grid_kernel>({.grid = blocks_for(total, kBlock), .block = kBlock, .stream = stream}, grid,
                             static_cast<unsigned>(total), anchors);
}

}  // namespace tyto::kernels

// Intersection over union of all pairs. A thread a column, at 32 rows, whose boxes stand in shared memory:
// 4 bytes written a pair and hardly any read. Some 16 instructions and a division a pair: bound by memory
// where the matrix leaves the L2 cache, by arithmetic before.
#include "kernels/detection/pairwise_iou.h"

#include "kernels/common/launch.h"
#include "kernels/detection/boxes.cuh"

namespace tyto::kernels {
namespace {

constexpr int kColumns = 128, kRows = 32;  // a block's

using Corners = Pack<float, 4>;

__global__ void __launch_bounds__(kColumns)
    pairwise_iou_kernel(const float* __restrict__ a, unsigned n, const float* __restrict__ b, unsigned k,
                        unsigned column_blocks, float* __restrict__ ious) {
  TYTO_SHARED_ARRAY(Corners, rows, kRows);
  const unsigned first = blockIdx.x / column_blocks * kRows, t = threadIdx.x;
  if (t < kRows && first + t < n) copy_pack(reinterpret_cast<const Corners*>(a)[first + t], rows[t]);
  __syncthreads();
  const unsigned column = blockIdx.x % column_blocks * kColumns + t;
  if (column >= k) return;
  const Box box = load_box(b + int64_t{4} * column);
  for (unsigned r = 0; r < kRows && first + r < n; ++r)
    ious[int64_t{first + r} * k + column] = iou(load_box(rows[r].values), box);
}

}  // namespace

void pairwise_iou(const float* a, int64_t n, const float* b, int64_t k, float* ious, Stream stream) {
  checked_int(n * k, "the pairs of two sets of boxes");
  const int64_t column_blocks = (k + kColumns - 1) / kColumns, row_blocks = (n + kRows - 1) / kRows;
  // Of a pair: four comparisons of corners, a difference and a comparison a side, the shared area, the sum
  // and the difference of areas; the quotient.
  const double pairs = static_cast<double>(n) * static_cast<double>(k);
  launch<pairwise_iou_kernel>({.grid = static_cast<unsigned>(column_blocks * row_blocks),
                               .block = kColumns,
                               .stream = stream,
                               .work = {.operations = 11 * pairs, .exponentials = pairs}},
                              a, static_cast<unsigned>(n), b, static_cast<unsigned>(k),
                              static_cast<unsigned>(column_blocks), ious);
}

}  // namespace tyto::kernels

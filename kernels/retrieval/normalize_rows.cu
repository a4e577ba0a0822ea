// Rows to unit length: a warp takes a row, each lane one of the partial sums; the row is read again from L1
// or L2 to be divided. Squares of floats are exact in double, so the bits are the CPU's whether or not a
// multiply-add is fused.
//
// Cost: each row read twice (once from memory) and written once. For 64 rows of 2048 bound by the launch.

#include "kernels/retrieval/normalize_rows.h"

#include "kernels/common/launch.h"
#include "kernels/common/reduce.cuh"

namespace tyto::kernels {
namespace {

constexpr int kLanes = kNormPartialSums;
constexpr int kRowsPerBlock = 4;
static_assert(kLanes == kWarp, "a partial sum is a lane's");

__global__ void normalize_rows_kernel(float* rows, int64_t n, int64_t width, int64_t* not_finite) {
  const int lane = static_cast<int>(threadIdx.x);
  const int64_t index = static_cast<int64_t>(blockIdx.x) * kRowsPerBlock + threadIdx.y;
  if (index >= n) return;
  float* row = rows + index * width;
  double squares = 0;
  for (int64_t j = lane; j < width; j += kLanes) squares += static_cast<double>(row[j]) * row[j];
  squares = warp_sum(squares);
  if (squares == 0) return;
  if (!isfinite(squares)) {
    for (int64_t j = lane; j < width; j += kLanes) row[j] = nanf("");
    if (lane == 0 && not_finite != nullptr)
      atomicAdd(reinterpret_cast<unsigned long long*>(not_finite), 1ull);
    return;
  }
  const double norm = sqrt(squares);
  for (int64_t j = lane; j < width; j += kLanes) row[j] = static_cast<float>(row[j] / norm);
}

}  // namespace

void normalize_rows(float* rows, int64_t n, int64_t width, int64_t* not_finite, Stream stream) {
  launch<normalize_rows_kernel>(
      {.grid = blocks_for(n, kRowsPerBlock), .block = {kLanes, kRowsPerBlock}, .stream = stream}, rows, n,
      width, not_finite);
}

}  // namespace tyto::kernels

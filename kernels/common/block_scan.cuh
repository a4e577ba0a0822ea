// Sums of what stands before a thread.
#pragma once

#include "kernels/common/cuda.h"
#include "kernels/common/reduce.cuh"

namespace tyto::kernels {

struct Scanned {
  int before;  // the sum of the lesser threads' values
  int total;   // of the block's
};

// Every thread of the block calls it. partial: shared, [kThreads / kWarp]; whoever used it before has passed
// a barrier, and so must whoever uses it next.
template <int kThreads>
__device__ inline Scanned block_scan(int v, int* partial) {
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  int upto = v;
#pragma unroll
  for (int distance = 1; distance < kWarp; distance *= 2) {
    const int left = __shfl_up_sync(kFullWarp, upto, distance);
    if (lane >= distance) upto += left;
  }
  if (lane == kWarp - 1) partial[warp] = upto;
  __syncthreads();
  Scanned out = {upto - v, 0};
#pragma unroll
  for (int w = 0; w < kThreads / kWarp; ++w) {
    if (w < warp) out.before += partial[w];
    out.total += partial[w];
  }
  return out;
}

}  // namespace tyto::kernels

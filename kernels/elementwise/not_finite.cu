// Counts infinities and NaNs: reads every value once, and a warp that saw some adds its sum to the counter.
// Integer sums do not depend on their order. Bound by memory; on a healthy network no atomic is ever made.
#include "kernels/common/launch.h"
#include "kernels/common/reduce.cuh"
#include "kernels/elementwise/not_finite.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256;
constexpr int kPerThread = 8;

template <class T>
__global__ void count_not_finite_kernel(const T* __restrict__ values, int64_t n,
                                        uint32_t* __restrict__ count) {
  const int64_t first = (static_cast<int64_t>(blockIdx.x) * kPerThread) * kBlock + threadIdx.x;
  unsigned mine = 0;
  for (int k = 0; k < kPerThread; ++k) {
    const int64_t i = first + static_cast<int64_t>(k) * kBlock;
    if (i < n && !(fabsf(static_cast<float>(values[i])) <= 3.402823466e38f)) ++mine;
  }
  mine = warp_sum(mine);
  if (threadIdx.x % kWarp == 0 && mine > 0) atomicAdd(count, mine);
}

}  // namespace

template <class T>
void count_not_finite(const T* values, int64_t n, uint32_t* count, Stream stream) {
  const int64_t threads = (n + kPerThread - 1) / kPerThread;
  launch<count_not_finite_kernel<T>>({.grid = blocks_for(threads, kBlock), .block = kBlock, .stream = stream},
                                     values, n, count);
}

template void count_not_finite<float>(const float*, int64_t, uint32_t*, Stream);
template void count_not_finite<Half>(const Half*, int64_t, uint32_t*, Stream);
template void count_not_finite<BFloat16>(const BFloat16*, int64_t, uint32_t*, Stream);

}  // namespace tyto::kernels

// How the threads of a kernel that reduces rows stand over them: a warp takes a short row, a block a long
// one.
#pragma once

#include <cstdint>

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/reduce.cuh"
#include "kernels/common/stream.h"

namespace tyto::kernels {

inline constexpr int kReduceBlock = 256;
inline constexpr int kReduceWarps = kReduceBlock / kWarp;
// 32 elements a lane; eight such rows in float are 32 KB, which stay in an SM's L1 until they are read again.
inline constexpr int64_t kLongestOfAWarp = 1024;

// Calls go.operator()<kPackSize, threads of a row>().
template <int kPackSize, class Go>
void with_row_threads(int64_t width, const Go& go) {
  if (width <= kLongestOfAWarp)
    go.template operator()<kPackSize, kWarp>();
  else
    go.template operator()<kPackSize, kReduceBlock>();
}

template <int kThreads>
LaunchConfig cover_reduced_rows(int64_t rows, Stream stream) {
  return {.grid = blocks_for(rows, kReduceBlock / kThreads), .block = kReduceBlock, .stream = stream};
}

// The row of this thread; may lie past the last.
template <int kThreads>
__device__ inline int64_t row_of_thread() {
  return static_cast<int64_t>(blockIdx.x) * (kReduceBlock / kThreads) + threadIdx.x / kThreads;
}

// Calls body(c) for the first of each N elements that this thread owns of its row.
template <int N, int kThreads, class Body>
__device__ inline void for_each_pack(int width, const Body& body) {
#pragma unroll 2
  for (int c = threadIdx.x % kThreads * N; c < width; c += kThreads * N) body(c);
}

// Every thread of the row gets the row's result. partial: shared, [kReduceWarps], used by this call alone.
template <class Combine, int kThreads, class C>
__device__ inline C row_reduce(C v, C* partial) {
  v = warp_reduce<Combine>(v);
  if constexpr (kThreads > kWarp) {
    if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = v;
    __syncthreads();
    v = partial[0];
#pragma unroll
    for (int warp = 1; warp < kReduceWarps; ++warp) v = Combine{}(v, partial[warp]);
  }
  return v;
}

}  // namespace tyto::kernels

// A block sorts keys in its shared memory.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/common/cuda.h"
#include "kernels/common/reduce.cuh"

namespace tyto::kernels {

// Batcher's bitonic sort (1968): stages of 2, 4, 8, ... sorted keys, rising and falling by turns; a stage's
// steps compare and exchange keys at half its size, a quarter, ..., 1. Here a warp has 64 keys in registers,
// two a lane, for all steps of a distance that they hold, and only steps of greater distances go through
// shared memory.
namespace detail {

inline constexpr int kWarpKeys = 2 * kWarp;

// The key that stays at `index` of the stage, of two that are `distance` apart.
__device__ inline uint64_t exchange(uint64_t key, uint64_t other, int index, int distance, int stage) {
  const bool rising = (index & stage) == 0, is_first = (index & distance) == 0;
  return rising == is_first ? std::min(key, other) : std::max(key, other);
}

// The steps of the stage within a warp's keys: numbers `index` and `index` + 32 are the lane's.
__device__ inline void warp_steps(uint64_t& low, uint64_t& high, int index, int stage) {
  if (stage >= kWarpKeys) {
    const uint64_t key = low;
    low = exchange(key, high, index, kWarp, stage);
    high = exchange(high, key, index + kWarp, kWarp, stage);
  }
  for (int distance = (stage < kWarp ? stage : kWarp) / 2; distance > 0; distance /= 2) {
    low = exchange(low, __shfl_xor_sync(kFullWarp, low, distance), index, distance, stage);
    high = exchange(high, __shfl_xor_sync(kFullWarp, high, distance), index + kWarp, distance, stage);
  }
}

}  // namespace detail

// The first `count` of `keys`, rising. There is room for the next power of two and for 64, and what stands
// there is lost. Every thread of a block of whole warps calls it, after a barrier; none is needed behind.
__device__ inline void bitonic_sort(uint64_t* keys, int count) {
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  const int first = thread / kWarp * detail::kWarpKeys + thread % kWarp;
  int size = detail::kWarpKeys;
  while (size < count) size *= 2;

  for (int i = first; i < size; i += 2 * threads) {
    uint64_t low = i < count ? keys[i] : ~uint64_t{0},
             high = i + kWarp < count ? keys[i + kWarp] : ~uint64_t{0};
    for (int stage = 2; stage <= detail::kWarpKeys; stage *= 2) detail::warp_steps(low, high, i, stage);
    keys[i] = low;
    keys[i + kWarp] = high;
  }
  for (int stage = 2 * detail::kWarpKeys; stage <= size; stage *= 2) {
    for (int distance = stage / 2; distance >= detail::kWarpKeys; distance /= 2) {
      __syncthreads();
      for (int pair = thread; pair < size / 2; pair += threads) {
        const int i = 2 * pair - (pair & (distance - 1));
        const uint64_t key = keys[i], other = keys[i + distance];
        keys[i] = detail::exchange(key, other, i, distance, stage);
        keys[i + distance] = detail::exchange(other, key, i + distance, distance, stage);
      }
    }
    __syncthreads();
    for (int i = first; i < size; i += 2 * threads) {
      uint64_t low = keys[i], high = keys[i + kWarp];
      detail::warp_steps(low, high, i, stage);
      keys[i] = low;
      keys[i + kWarp] = high;
    }
  }
  __syncthreads();
}

}  // namespace tyto::kernels

// Several sorted runs of keys as one. Merging is counting: the rank of a key among all is its rank in its own
// run plus the numbers of smaller keys in the others. Keys are unique, so no two claim one rank.
#pragma once

#include <cstdint>

#include "kernels/common/cuda.h"
#include "kernels/common/reduce.cuh"

namespace tyto::kernels {

struct SortedRuns {
  const uint64_t* keys;  // [count, capacity], each run rising
  const int* lengths;    // [count]
  int count, capacity;

  __device__ const uint64_t* run(int r) const { return keys + static_cast<int64_t>(r) * capacity; }
};

// How many of the rising keys are less than `key`.
__device__ inline int keys_below(const uint64_t* keys, int length, uint64_t key) {
  int low = 0, high = length;
  while (low < high) {
    const int middle = low + (high - low) / 2;
    if (keys[middle] < key)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// The rank among all runs of the key that is number `i` of run `own`; or some rank from `limit` on.
__device__ inline int rank_among(const SortedRuns& runs, int own, int i, int limit) {
  const uint64_t key = runs.run(own)[i];
  int rank = i;
  for (int r = 0; r < runs.count && rank < limit; ++r)
    if (r != own) rank += keys_below(runs.run(r), runs.lengths[r], key);
  return rank;
}

// Keys in all runs. Every lane of the warp calls it.
__device__ inline int total_length(const SortedRuns& runs) {
  int total = 0;
  for (int r = static_cast<int>(threadIdx.x) % kWarp; r < runs.count; r += kWarp) total += runs.lengths[r];
  return warp_sum(total);
}

}  // namespace tyto::kernels

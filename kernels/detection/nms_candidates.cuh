// The first half of the selection on CUDA: each list's candidates, sorted, the best top_k.
#pragma once

#include "kernels/common/rank_key.h"
#include "kernels/detection/bitonic_sort.cuh"
#include "kernels/detection/boxes.cuh"
#include "kernels/detection/nms_math.h"
#include "kernels/detection/nms_plan.h"
#include "kernels/detection/sorted_runs.cuh"

namespace tyto::kernels {

inline constexpr int kSortBlock = 512;

__device__ inline unsigned lanes_before(int lane) { return (1u << lane) - 1; }

// Candidates first..first + count of an image, of which `boxes_there` boxes are there: the keys of those
// above the threshold, in any order, to `keys`; their number is added to *found.
__device__ inline void find_candidates(const NmsLists& lists, const float* __restrict__ boxes,
                                       const float* __restrict__ scores, int first, int count,
                                       int boxes_there, float threshold, uint64_t* keys, int* found) {
  constexpr int kPerThread = kNmsTile / kSortBlock;
  const int thread = threadIdx.x, lane = thread % kWarp;
  float score[kPerThread];
#pragma unroll
  for (int k = 0; k < kPerThread; ++k) {
    const int i = k * kSortBlock + thread;
    score[k] = i < count ? scores[first + i] : threshold;
  }
#pragma unroll
  for (int k = 0; k < kPerThread; ++k) {
    const int i = first + k * kSortBlock + thread;
    const bool passes = score[k] > threshold && lists.is_there(i, boxes_there) &&
                        is_finite(load_box(boxes + 4 * lists.box(i)));
    const unsigned passing = __ballot_sync(kFullWarp, passes);
    int rank = 0;
    if (lane == 0 && passing != 0) rank = atomicAdd(found, __popc(passing));
    rank = __shfl_sync(kFullWarp, rank, 0) + __popc(passing & lanes_before(lane));
    if (passes) keys[rank] = rank_key(score[k], i);
  }
}

// `list` of the batch.
__device__ inline SortedRuns tiles_of(const NmsWorkspace& w, const NmsSizes& sizes, int64_t list) {
  return {w.runs + list * sizes.tiles * sizes.run, w.run_lengths + list * sizes.tiles, sizes.tiles,
          sizes.run};
}

}  // namespace tyto::kernels

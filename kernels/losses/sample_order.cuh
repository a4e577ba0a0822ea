// The choice of sample_order.h on CUDA: a block finds the smallest keys of two kinds of candidates.
#pragma once

#include "kernels/common/cuda.h"
#include "kernels/common/reduce.cuh"
#include "kernels/losses/sample_order_math.h"

namespace tyto::kernels {

// By radix: the digits of the last key that is taken are found one by one from the top, each by counting the
// candidates that share the digits before it. Priorities are random, so two or three digits mostly do.
struct SampleSearch {
  static constexpr int kDigits = 8, kBits = 8, kBins = 1 << kBits;

  int bins[2][kBins];  // of kind 0, the negatives, and kind 1, the positives
  uint64_t prefix[2];  // the digits found
  int wanted[2];       // of what shares them
  int taken[2];
  uint64_t end[2];  // found: keys less than this are taken
  int is_found[2];
};

namespace detail {

// A warp sums a kind's bins.
__device__ inline int sum_of_bins(const int* bins) {
  int sum = 0;
#pragma unroll
  for (int first = 0; first < SampleSearch::kBins; first += kWarp) sum += bins[first + threadIdx.x % kWarp];
  return warp_sum(sum);
}

// A warp finds the digit of one kind.
__device__ inline void find_digit(SampleSearch& s, int kind, int digit) {
  const int lane = threadIdx.x % kWarp;
  int before = 0;
  const int wanted = s.wanted[kind];
  const uint64_t above = s.prefix[kind] << SampleSearch::kBits;
  __syncwarp();  // they are written below
#pragma unroll 1
  for (int first = 0; first < SampleSearch::kBins; first += kWarp) {
    const int here = s.bins[kind][first + lane];
    int up_to = here;
#pragma unroll
    for (int distance = 1; distance < kWarp; distance *= 2) {
      const int left = __shfl_up_sync(kFullWarp, up_to, distance);
      if (lane >= distance) up_to += left;
    }
    up_to += before;
    if (up_to - here < wanted && wanted <= up_to) {
      const uint64_t prefix = above | static_cast<uint64_t>(first + lane);
      s.prefix[kind] = prefix;
      s.wanted[kind] = wanted - (up_to - here);
      if (wanted == up_to) {
        s.end[kind] = (prefix + 1) << (SampleSearch::kBits * digit);
        s.is_found[kind] = 1;
      }
    }
    before = __shfl_sync(kFullWarp, up_to, kWarp - 1);
  }
}

}  // namespace detail

// kind(i) is 1, 0 or less of candidate i < count, priority(i) its priority. Of kind 1
// at most `most` are taken, of both `samples`. Every thread of a block of at least two warps calls it; s is
// shared, and complete when it returns.
template <class Kind, class Priority>
__device__ inline void choose_samples(int count, int most, int samples, SampleSearch& s, const Kind& kind,
                                      const Priority& priority) {
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  const int warp = thread / kWarp, lane = thread % kWarp;
  constexpr int kBits = SampleSearch::kBits;
  if (thread < 2) {
    s.is_found[thread] = 0;
    s.prefix[thread] = 0;
  }
  for (int digit = SampleSearch::kDigits - 1; digit >= 0; --digit) {
    for (int i = thread; i < 2 * SampleSearch::kBins; i += threads)
      s.bins[i / SampleSearch::kBins][i % SampleSearch::kBins] = 0;
    __syncthreads();
    const bool is_first = digit == SampleSearch::kDigits - 1;
    for (int i = thread; i < count; i += threads) {
      const int of = kind(i);
      const uint64_t key = sample_key(priority(i), i);
      if (of < 0 || s.is_found[of] != 0) continue;
      if (is_first || key >> (kBits * (digit + 1)) == s.prefix[of])
        atomicAdd(&s.bins[of][key >> (kBits * digit) & (SampleSearch::kBins - 1)], 1);
    }
    __syncthreads();
    if (warp < 2 && is_first) {
      const int positives = detail::sum_of_bins(s.bins[1]), all = detail::sum_of_bins(s.bins[warp]);
      const int wanted = warp == 1 ? most : samples - (positives < most ? positives : most);
      if (lane == 0) {
        s.wanted[warp] = wanted;
        s.taken[warp] = all < wanted ? all : wanted;
        s.is_found[warp] = all <= wanted || wanted == 0;
        s.end[warp] = all <= wanted ? ~uint64_t{0} : 0;
      }
      __syncwarp();
    }
    if (warp < 2 && s.is_found[warp] == 0) detail::find_digit(s, warp, digit);
    __syncthreads();
    if (s.is_found[0] != 0 && s.is_found[1] != 0) break;
  }
}

}  // namespace tyto::kernels

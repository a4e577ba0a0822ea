// A row of logits on CUDA, by the threads that row_reduce.cuh gives it. A row is read once from memory, then
// from L1, or from L2 where it is long. One element a thread: numbers of classes are seldom a multiple of
// four.
#pragma once

#include "kernels/common/row_reduce.cuh"
#include "kernels/losses/faults.cuh"

namespace tyto::kernels {

// The largest of logit(c), c < classes; NaN where one is not finite.
template <int kThreads, class C, class Logit>
__device__ inline C largest_logit(int classes, const Logit& logit, C* partial) {
  C largest = Larger::kStart;
  for_each_pack<1, kThreads>(classes, [&](int c) {
    const C v = logit(c);
    largest = Larger{}(largest, isfinite(v) ? v : not_a_number<C>());
  });
  return row_reduce<Larger, kThreads>(largest, partial);
}

// The sum of e^(logit(c) - largest).
template <int kThreads, class C, class Logit>
__device__ inline C sum_of_exponentials(int classes, C largest, const Logit& logit, C* partial) {
  C sum = 0;
  for_each_pack<1, kThreads>(classes, [&](int c) { sum += std::exp(logit(c) - largest); });
  return row_reduce<Plus, kThreads>(sum, partial);
}

// Of the block's rows: a row's first thread brings its loss, the others 0. losses [blocks]; every thread of
// the block calls this.
template <int kThreads, class C>
__device__ inline void store_block_sum(C loss, double* terms, double* losses) {
  if constexpr (kThreads == kReduceBlock) {
    if (threadIdx.x == 0) *losses = static_cast<double>(loss);
  } else {
    if (threadIdx.x % kThreads == 0) terms[threadIdx.x / kThreads] = static_cast<double>(loss);
    __syncthreads();
    if (threadIdx.x != 0) return;
    double sum = 0;
    for (int i = 0; i < kReduceBlock / kThreads; ++i) sum += terms[i];
    *losses = sum;
  }
}

}  // namespace tyto::kernels

// A row of cross entropy, for kernels that take its logits as they make them.
#pragma once

#include "kernels/losses/cross_entropy_math.h"
#include "kernels/losses/softmax_row.cuh"

namespace tyto::kernels {

// The loss of a row of logit(c), to all its threads; NaN where one is not finite. store(c, v) gets by * d
// loss / d logit, after logit(c) was asked for the last time. partial: shared, [3 * kReduceWarps].
template <int kThreads, class C, class Logit, class Store>
__device__ inline C cross_entropy_row(int classes, int label, const SmoothedTarget<C>& target, C by,
                                      bool differentiates, C* partial, const Logit& logit,
                                      const Store& store) {
  const C of_label = logit(label);
  const C largest = largest_logit<kThreads>(classes, logit, partial);
  const C sum = sum_of_exponentials<kThreads>(classes, largest, logit, partial + kReduceWarps);
  C z_sum = 0;
  if (target.each != 0) {
    for_each_pack<1, kThreads>(classes, [&](int c) { z_sum += logit(c) - largest; });
    z_sum = row_reduce<Plus, kThreads>(z_sum, partial + 2 * kReduceWarps);
  }
  if (differentiates) {
    // In place, a lane overwrites what all have read: the label's logit. A block has met in its reductions
    // since, but a shuffle orders no memory.
    __syncwarp();
    const C share = by / sum, each = by * target.each, more = by * target.label;
    for_each_pack<1, kThreads>(classes, [&](int c) {
      store(c, std::exp(logit(c) - largest) * share - each - (c == label ? more : C{0}));
    });
  }
  return smoothed_loss(target, std::log(sum), of_label - largest, z_sum);
}

}  // namespace tyto::kernels

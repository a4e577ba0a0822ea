// An anchor loss (anchor_loss.h) on CUDA: a warp takes a row of the measures, to sum it and again for its
// slopes; one block sums the rows' sums in a fixed order.
//
// Cost beside the frame's: n^2 measures read three times where a rule wants hardest pairs and sums (twice
// where one of them; all but the first from L1 or L2 while n is below some thousands), n^2 slopes written.
#pragma once

#include <bit>

#include "kernels/common/launch.h"
#include "kernels/common/reduce.cuh"
#include "kernels/losses/anchor_loss.h"

namespace tyto::kernels {

inline constexpr int kAnchorBlock = 256, kAnchorWarps = kAnchorBlock / kWarp;

// What the lane `distance` further up has, whatever it is made of.
template <class S>
__device__ inline S from_lane_above(const S& mine, int distance) {
  static_assert(sizeof(S) % sizeof(unsigned) == 0);
  struct Words {
    unsigned word[sizeof(S) / sizeof(unsigned)];
  };
  Words words = std::bit_cast<Words>(mine);
#pragma unroll
  for (unsigned& word : words.word) word = __shfl_down_sync(kFullWarp, word, distance);
  return std::bit_cast<S>(words);
}

// In lane 0, what all lanes have, joined; every lane calls it.
template <class S>
__device__ inline S warp_joined(S mine) {
#pragma unroll
  for (int distance = kWarp / 2; distance > 0; distance /= 2) mine.join(from_lane_above(mine, distance));
  return mine;
}

// In every thread, what all have, joined. partial: shared, [kAnchorWarps].
template <class S>
__device__ inline S block_joined(S mine, S* partial) {
  mine = warp_joined(mine);
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = mine;
  __syncthreads();
  S all = partial[0];
  for (int warp = 1; warp < kAnchorWarps; ++warp) all.join(partial[warp]);
  return all;
}

// In every lane, what lane 0 has.
template <class S>
__device__ inline S from_first_lane(const S& mine) {
  struct Words {
    unsigned word[sizeof(S) / sizeof(unsigned)];
  };
  Words words = std::bit_cast<Words>(mine);
#pragma unroll
  for (unsigned& word : words.word) word = __shfl_sync(kFullWarp, word, 0);
  return std::bit_cast<S>(words);
}

// The row of this warp; may lie past the last.
__device__ inline int anchor_of_warp() {
  return static_cast<int>(blockIdx.x * kAnchorWarps + threadIdx.x / kWarp);
}

inline LaunchConfig cover_anchors(int n, Stream stream) {
  return {.grid = blocks_for(n, kAnchorWarps), .block = kAnchorBlock, .stream = stream};
}

// In every lane.
template <class Rule, class C>
__device__ HardestPairs<C> warp_hardest_pairs(const Rule& rule, const C* __restrict__ row,
                                              const int32_t* __restrict__ labels, int i, int n) {
  HardestPairs<C> hardest;
  const int32_t label = labels[i];
  for (int j = static_cast<int>(threadIdx.x % kWarp); j < n; j += kWarp)
    if (rule.present(j)) hardest.add(row[j], pair_kind<Rule>(i, j, label, labels[j]), j);
  return from_first_lane(warp_joined(hardest));
}

template <class Rule, class C>
__global__ void __launch_bounds__(kAnchorBlock)
    anchors_kernel(Rule rule, const C* __restrict__ measures, const int32_t* __restrict__ labels, int n,
                   AnchorOf<Rule, C>* __restrict__ anchors) {
  const int i = anchor_of_warp(), lane = threadIdx.x % kWarp;
  if (i >= n || !rule.present(i)) return;
  const C* row = measures + static_cast<int64_t>(i) * n;
  const int32_t label = labels[i];
  AnchorOf<Rule, C> anchor;
  anchor.own = row[i];
  if constexpr (Rule::kHardest) anchor.hardest = warp_hardest_pairs(rule, row, labels, i, n);
  if constexpr (!std::is_empty_v<typename Rule::Sums>) {
    typename Rule::Sums sums;
    for (int j = lane; j < n; j += kWarp) {
      const PairKind kind = pair_kind<Rule>(i, j, label, labels[j]);
      if (kind != PairKind::Self && rule.present(j)) rule.add(anchor, row[j], kind, sums);
    }
    anchor.sums = warp_joined(sums);
  }
  if (lane == 0) anchors[i] = anchor;
}

template <class Rule, class C>
__global__ void __launch_bounds__(kAnchorBlock)
    anchor_totals_kernel(Rule rule, const AnchorOf<Rule, C>* __restrict__ anchors, int n,
                         typename Rule::Totals* totals, C* value) {
  TYTO_SHARED_ARRAY(typename Rule::Totals, partial, kAnchorWarps);
  typename Rule::Totals mine;
  for (int i = static_cast<int>(threadIdx.x); i < n; i += kAnchorBlock)
    if (rule.present(i)) mine.join(rule.totals_of(anchors[i]));
  mine = block_joined(mine, partial);
  if (threadIdx.x != 0) return;
  *totals = mine;
  *value = static_cast<C>(rule.value(mine));
}

template <class Rule, class C>
__global__ void __launch_bounds__(kAnchorBlock)
    anchor_slopes_kernel(Rule rule, const C* __restrict__ measures, const int32_t* __restrict__ labels, int n,
                         const AnchorOf<Rule, C>* __restrict__ anchors,
                         const typename Rule::Totals* __restrict__ totals, C* __restrict__ slopes) {
  const int i = anchor_of_warp();
  if (i >= n) return;
  measures += static_cast<int64_t>(i) * n;
  slopes += static_cast<int64_t>(i) * n;
  const int32_t label = labels[i];
  const bool present = rule.present(i);
  typename Rule::Factors factors{};
  if (present) factors = rule.factors(anchors[i], *totals);
  for (int j = static_cast<int>(threadIdx.x % kWarp); j < n; j += kWarp)
    slopes[j] = present && rule.present(j)
                    ? rule.slope(factors, measures[j], pair_kind<Rule>(i, j, label, labels[j]), j)
                    : C{0};
}

// The loss's own step between measure_pairs and finish_pairs.
template <class Rule, class C>
void anchor_step(const Rule& rule, const PairwiseMemory<C>& pairs, const AnchorMemory<Rule, C>& memory,
                 const int32_t* labels, int64_t rows, bool gradient, C* value, Stream stream) {
  const int n = checked_int(rows, "the rows of a loss");
  launch<anchors_kernel<Rule, C>>(cover_anchors(n, stream), rule, pairs.measures, labels, n, memory.anchors);
  launch<anchor_totals_kernel<Rule, C>>({.grid = 1, .block = kAnchorBlock, .stream = stream}, rule,
                                        memory.anchors, n, memory.totals, value);
  if (gradient)
    launch<anchor_slopes_kernel<Rule, C>>(cover_anchors(n, stream), rule, pairs.measures, labels, n,
                                          memory.anchors, memory.totals, pairs.slopes);
}

template <class Rule, class T>
int64_t anchor_loss_workspace(int64_t rows, int64_t width) {
  Workspace measured;
  AnchorMemory<Rule, Computed<T>>(measured, rows);
  return measured.bytes() + pairwise_loss_workspace<T>(rows, width);
}

template <class Rule, class T>
void anchor_loss(const LabelledRows<T>& in, const PairwiseFrame& frame, const Rule& rule,
                 const LossOutput<T>& out, void* workspace, Stream stream) {
  Workspace lent(workspace);
  const AnchorMemory<Rule, Computed<T>> memory(lent, in.rows);
  const auto pairs = measure_pairs(in, frame, lent, stream);
  anchor_step(rule, pairs, memory, in.labels, in.rows, out.gradient != nullptr, out.value, stream);
  finish_pairs(in, frame, pairs, out, stream);
}

}  // namespace tyto::kernels

// Triplet loss: a warp takes an anchor. It looks for the hardest pairs, from which it knows what the miner
// keeps; then it walks, for each positive that is kept, all negatives. One block adds the anchors' sums in a
// fixed order; then warps walk the triplets again for the slopes, which are counts of them.
//
// Cost beside the frame's: n^2 measures read once, and n * P of them (P positives an anchor) twice from L1
// while a row fits, n^2 slopes written.
#include "kernels/losses/anchor_loss.cuh"
#include "kernels/losses/triplet_math.h"

namespace tyto::kernels {
namespace {

// One anchor's pairs, as a lane sees them.
template <class C>
struct AnchorRow {
  const C* distances;     // [n]
  const int32_t* labels;  // [n]
  int i, n;
  int32_t label;
  KeptDistances<C> kept;

  // Calls body(p, distance) in all lanes for the positives that are kept, p rising.
  template <class Body>
  __device__ void for_each_positive(const Body& body) const {
    const int lane = threadIdx.x % kWarp;
    for (int first = 0; first < n; first += kWarp) {
      const int p = first + lane;
      const C distance = p < n ? distances[p] : C{0};
      const bool keep = p < n && p != i && labels[p] == label && distance > kept.positives_beyond;
      for (unsigned left = __ballot_sync(kFullWarp, keep); left != 0; left &= left - 1) {
        const int at = __ffs(static_cast<int>(left)) - 1;
        body(first + at, __shfl_sync(kFullWarp, distance, at));
      }
    }
  }
  __device__ bool keeps_negative(int j, C distance) const {
    return labels[j] != label && distance < kept.negatives_below;
  }
};

template <class C>
__global__ void __launch_bounds__(kAnchorBlock)
    triplet_anchors_kernel(TripletRule<C> rule, const C* __restrict__ measures,
                           const int32_t* __restrict__ labels, int n, KeptDistances<C>* __restrict__ kept,
                           TripletTotals* __restrict__ anchors) {
  const int i = anchor_of_warp(), lane = threadIdx.x % kWarp;
  if (i >= n) return;
  const C* distances = measures + static_cast<int64_t>(i) * n;
  const AnchorRow<C> row{distances, labels,    i,
                         n,         labels[i], rule.kept(warp_hardest_pairs(rule, distances, labels, i, n))};
  TripletTotals mine;
  row.for_each_positive([&](int, C distance) {
    TripletSums<C> some;
    for (int j = lane; j < n; j += kWarp) {
      const C d = distances[j], v = distance + rule.margin - d;
      if (v > 0 && row.keeps_negative(j, d)) some.join(TripletSums<C>{v, 1});
    }
    mine.join(some);
  });
  mine = warp_joined(mine);
  if (lane != 0) return;
  kept[i] = row.kept;
  anchors[i] = mine;
}

template <class C>
__global__ void __launch_bounds__(kAnchorBlock)
    triplet_totals_kernel(const TripletTotals* __restrict__ anchors, int n, TripletTotals* totals, C* value) {
  TYTO_SHARED_ARRAY(TripletTotals, partial, kAnchorWarps);
  TripletTotals mine;
  for (int i = static_cast<int>(threadIdx.x); i < n; i += kAnchorBlock) mine.join(anchors[i]);
  mine = block_joined(mine, partial);
  if (threadIdx.x != 0) return;
  *totals = mine;
  *value = static_cast<C>(triplet_value(mine));
}

template <class C>
__global__ void __launch_bounds__(kAnchorBlock)
    triplet_slopes_kernel(TripletRule<C> rule, const C* __restrict__ measures,
                          const int32_t* __restrict__ labels, int n,
                          const KeptDistances<C>* __restrict__ kept, const TripletTotals* __restrict__ totals,
                          C* __restrict__ slopes) {
  const int i = anchor_of_warp(), lane = threadIdx.x % kWarp;
  if (i >= n) return;
  const C* distances = measures + static_cast<int64_t>(i) * n;
  slopes += static_cast<int64_t>(i) * n;
  const AnchorRow<C> row{distances, labels, i, n, labels[i], kept[i]};
  const C each = 1 / static_cast<C>(totals->count == 0 ? 1 : totals->count);
  for (int j = lane; j < n; j += kWarp) slopes[j] = 0;
  row.for_each_positive([&](int p, C distance) {
    int triplets = 0;
    for (int j = lane; j < n; j += kWarp) {
      const C d = distances[j];
      if (distance + rule.margin - d > 0 && row.keeps_negative(j, d)) {
        slopes[j] -= each;
        ++triplets;
      }
    }
    triplets = warp_sum(triplets);
    if (lane == p % kWarp) slopes[p] = each * static_cast<C>(triplets);  // the lane that cleared it
  });
}

}  // namespace

template <class T>
int64_t triplet_loss_workspace(int64_t rows, int64_t width) {
  Workspace measured;
  TripletMemory<Computed<T>>(measured, rows);
  return measured.bytes() + pairwise_loss_workspace<T>(rows, width);
}

template <class T>
void triplet_loss(const LabelledRows<T>& in, const TripletLoss& options, const LossOutput<T>& out,
                  void* workspace, Stream stream) {
  using C = Computed<T>;
  Workspace lent(workspace);
  const TripletMemory<C> memory(lent, in.rows);
  const auto pairs = measure_pairs(in, kTripletFrame, lent, stream);
  const TripletRule<C> rule(options);
  const int n = checked_int(in.rows, "the rows of a loss");
  launch<triplet_anchors_kernel<C>>(cover_anchors(n, stream), rule, pairs.measures, in.labels, n, memory.kept,
                                    memory.anchors);
  launch<triplet_totals_kernel<C>>({.grid = 1, .block = kAnchorBlock, .stream = stream}, memory.anchors, n,
                                   memory.totals, out.value);
  if (out.gradient != nullptr)
    launch<triplet_slopes_kernel<C>>(cover_anchors(n, stream), rule, pairs.measures, in.labels, n,
                                     memory.kept, memory.totals, pairs.slopes);
  finish_pairs(in, kTripletFrame, pairs, out, stream);
}

#define TYTO_INSTANTIATE(T)                                     \
  template int64_t triplet_loss_workspace<T>(int64_t, int64_t); \
  template void triplet_loss(const LabelledRows<T>&, const TripletLoss&, const LossOutput<T>&, void*, Stream);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
TYTO_INSTANTIATE(Half)
TYTO_INSTANTIATE(BFloat16)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

// SSD's matching in two kernels. In the first a thread has a prior and walks the objects of its image, which
// stand in shared memory: it finds the prior's best object, and with its neighbours each object's best prior
// of their tile. In the second a block an image reduces these over the tiles and gives the objects their
// priors.
//
// Cost: 16 bytes of a prior read an image (from L2), up to 24 written; some 25 instructions a prior and
// object: bound by memory up to about 10 objects an image.
#include "kernels/common/launch.h"
#include "kernels/common/reduce.cuh"
#include "kernels/common/workspace.h"
#include "kernels/losses/faults.cuh"
#include "kernels/losses/match_priors_math.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 128;
constexpr int kWarps = kBlock / kWarp;
constexpr int kObjects = 32;  // in shared memory at a time

template <class C>
struct Memory {
  BestOverlap<C>* of_tile;  // [batch, capacity, tiles]  an object's best prior in a tile
  BestOverlap<C>* best;     // [batch, capacity]         and of all, where it takes that

  Memory(Workspace& workspace, int64_t batch, int64_t capacity, int64_t tiles)
      : of_tile(workspace.take<BestOverlap<C>>(batch * capacity * tiles)),
        best(workspace.take<BestOverlap<C>>(batch * capacity)) {}
};

int64_t tiles_of(int64_t priors) { return (priors + kBlock - 1) / kBlock; }

template <class C>
__device__ BoxOf<C> box_at(const C* __restrict__ boxes, int64_t i) {
  Pack<C, 4> pack;
  copy_pack(reinterpret_cast<const Pack<C, 4>*>(boxes)[i], pack);
  return {pack.values[0], pack.values[1], pack.values[2], pack.values[3]};
}

template <class C>
struct Batch {
  ImageObjects<C> objects;
  Priors<C> priors;
  MatchPriors p;
  int tiles;
};

// Says that prior `i` of the image belongs to `object`, or with -1 to none.
template <class C>
__device__ void give(const Batch<C>& b, int64_t image, int64_t i, int32_t object,
                     const MatchedPriors<C>& out) {
  const int64_t at = image * b.priors.count + i, first = image * b.objects.capacity;
  out.labels[at] = object < 0 ? 0 : label_of(b.objects.classes[first + object], b.p);
  if (out.objects != nullptr) out.objects[at] = object;
  if (out.targets == nullptr) return;
  Pack<C, 4> target = {{0, 0, 0, 0}}, prior;
  if (object >= 0) {
    copy_pack(reinterpret_cast<const Pack<C, 4>*>(b.priors.boxes)[i], prior);
    const auto offsets = location_target(prior.values, b.priors.corners,
                                         box_at(b.objects.boxes, first + object), b.p.variance);
    for (int k = 0; k < 4; ++k) target.values[k] = offsets[k];
  }
  copy_pack(target, reinterpret_cast<Pack<C, 4>*>(out.targets)[at]);
}

// Every lane of the warp gets the best.
template <class C>
__device__ BestOverlap<C> best_of_warp(BestOverlap<C> v) {
#pragma unroll
  for (int distance = kWarp / 2; distance > 0; distance /= 2)
    v = better_of(
        v, {__shfl_xor_sync(kFullWarp, v.overlap, distance), __shfl_xor_sync(kFullWarp, v.index, distance)});
  return v;
}

template <class C>
__global__ void __launch_bounds__(kBlock)
    overlap_priors_kernel(Batch<C> b, BestOverlap<C>* __restrict__ of_tile, MatchedPriors<C> out) {
  TYTO_SHARED_ARRAY(BoxOf<C>, objects, kObjects);
  TYTO_SHARED_ARRAY(BestOverlap<C>, of_warp, kObjects * kWarps);
  const int64_t image = blockIdx.x / b.tiles;
  const int tile = blockIdx.x % b.tiles, thread = threadIdx.x, warp = thread / kWarp;
  const int64_t i = static_cast<int64_t>(tile) * kBlock + thread;
  const bool there = i < b.priors.count;
  LossStatus unused = 0;
  const int count = static_cast<int>(objects_there(b.objects.counts, image, b.objects.capacity, unused));
  BoxOf<C> prior = {0, 0, 0, 0};
  if (there) {
    Pack<C, 4> numbers;
    copy_pack(reinterpret_cast<const Pack<C, 4>*>(b.priors.boxes)[i], numbers);
    prior = prior_corners(numbers.values, b.priors.corners);
  }
  BestOverlap<C> best = {-1, -1};  // the index of an object
  for (int first = 0; first < count; first += kObjects) {
    const int here = min(kObjects, count - first);
    if (thread < here) objects[thread] = box_at(b.objects.boxes, image * b.objects.capacity + first + thread);
    __syncthreads();
    for (int j = 0; j < here; ++j) {
      BestOverlap<C> with_prior = {-1, INT32_MAX};
      if (there) {
        with_prior = {iou(objects[j], prior), static_cast<int32_t>(i)};
        if (overlaps_more(with_prior.overlap, best.overlap)) best = {with_prior.overlap, first + j};
      }
      with_prior = best_of_warp(with_prior);
      if (thread % kWarp == 0) of_warp[j * kWarps + warp] = with_prior;
    }
    __syncthreads();
    if (thread < here) {
      BestOverlap<C> of_block = of_warp[thread * kWarps];
      for (int w = 1; w < kWarps; ++w) of_block = better_of(of_block, of_warp[thread * kWarps + w]);
      of_tile[(image * b.objects.capacity + first + thread) * b.tiles + tile] = of_block;
    }
  }
  if (!there) return;
  const bool matched = best.index >= 0 && matches(best.overlap, static_cast<C>(b.p.threshold), b.p.rule);
  give(b, image, i, matched ? best.index : -1, out);
}

template <class C>
__global__ void __launch_bounds__(kBlock)
    give_best_priors_kernel(Batch<C> b, const BestOverlap<C>* __restrict__ of_tile, BestOverlap<C>* best,
                            MatchedPriors<C> out) {
  const int64_t image = blockIdx.x, first = image * b.objects.capacity;
  const int thread = threadIdx.x, lane = thread % kWarp;
  LossStatus found = 0;
  const int count = static_cast<int>(objects_there(b.objects.counts, image, b.objects.capacity, found));
  if (thread == 0 && found != 0 && out.status != nullptr) atomicMax(out.status, found);
  best += first;
  for (int j = thread / kWarp; j < count; j += kWarps) {
    BestOverlap<C> of_object = {-1, INT32_MAX};
    for (int tile = lane; tile < b.tiles; tile += kWarp)
      of_object = better_of(of_object, of_tile[(first + j) * b.tiles + tile]);
    of_object = best_of_warp(of_object);
    if (lane != 0) continue;
    if (b.tiles == 0 || !takes_best_prior(of_object.overlap, b.p.rule) ||
        (b.p.rule == PriorMatch::BestPriorOfUnmatched &&
         out.labels[image * b.priors.count + of_object.index] != 0))
      of_object.index = -1;
    best[j] = of_object;
    if (out.status == nullptr) continue;
    const LossStatus fault = object_fault(box_at(b.objects.boxes, first + j), first + j);
    if (fault != 0) atomicMax(out.status, fault);
    if (label_of(b.objects.classes[first + j], b.p) < 0)
      report(out.status, LossFault::Label, LossInput::Labels, first + j);
  }
  __syncthreads();
  for (int j = thread; j < count; j += kBlock) {
    const BestOverlap<C> own = best[j];
    bool wins = own.index >= 0;
    for (int k = 0; k < count && wins; ++k) {
      const BestOverlap<C> other = best[k];
      if (k == j || other.index != own.index) continue;
      wins = b.p.rule == PriorMatch::BestPrior
                 ? k < j
                 : own.overlap > other.overlap || (own.overlap == other.overlap && j < k);
    }
    if (wins) give(b, image, own.index, j, out);
  }
}

}  // namespace

template <class C>
void match_priors(const ImageObjects<C>& objects, const Priors<C>& priors, const MatchPriors& p,
                  const MatchedPriors<C>& out, void* memory, Stream stream) {
  const int64_t tiles = tiles_of(priors.count);
  checked_int(objects.batch * priors.count, "the priors of a batch");
  checked_int(objects.batch * objects.capacity, "the objects of a batch");
  Workspace workspace(memory);
  const Memory<C> m(workspace, objects.batch, objects.capacity, tiles);
  const Batch<C> batch = {objects, priors, p, static_cast<int>(tiles)};
  launch<overlap_priors_kernel<C>>(
      {.grid = blocks_for(objects.batch * tiles, 1), .block = kBlock, .stream = stream}, batch, m.of_tile,
      out);
  launch<give_best_priors_kernel<C>>(
      {.grid = blocks_for(objects.batch, 1), .block = kBlock, .stream = stream}, batch, m.of_tile, m.best,
      out);
}

template <class C>
int64_t match_priors_workspace(int64_t batch, int64_t capacity, int64_t priors) {
  Workspace workspace;
  Memory<C>(workspace, batch, capacity, tiles_of(priors));
  return workspace.bytes();
}

#define TYTO_INSTANTIATE(C)                                                                \
  template void match_priors(const ImageObjects<C>&, const Priors<C>&, const MatchPriors&, \
                             const MatchedPriors<C>&, void*, Stream);                      \
  template int64_t match_priors_workspace<C>(int64_t, int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

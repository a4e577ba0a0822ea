// Targets of anchors on CUDA: the best overlap of every object, a block an eighth of the anchors; then labels
// and locations, a thread an anchor, objects passing through shared memory; then the choice of those that
// stay, a block an image.
//
// Cost for n anchors and g objects of an image: 2 n g overlaps of some 16 instructions, 24 n bytes written;
// the choice reads 8 n bytes a few times from the L2 cache. For 20646 anchors and one image the last step, of
// one block, takes longest.
#include "kernels/losses/anchor_targets.h"

#include "kernels/common/launch.h"
#include "kernels/common/workspace.h"
#include "kernels/losses/anchor_targets_math.h"
#include "kernels/losses/object_faults.h"
#include "kernels/losses/regions.cuh"
#include "kernels/losses/sample_order.cuh"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256, kWarps = kBlock / kWarp;
constexpr int kParts = 8;               // of the anchors, in each of which an object has a best overlap
constexpr int kTile = kBlock / kParts;  // objects
constexpr int kChoosers = 512;          // threads that choose

template <class C>
struct Memory {
  int32_t* spoiled;      // [batch]
  C* best;               // [batch, capacity, kParts]; -1 without an anchor
  uint32_t* priorities;  // [batch, count]

  Memory(Workspace& workspace, int64_t batch, int64_t capacity, int64_t count)
      : spoiled(workspace.take<int32_t>(batch)),
        best(workspace.take<C>(batch * capacity * kParts)),
        priorities(workspace.take<uint32_t>(batch * count)) {}
};

template <class C>
struct ImageSize {
  C height, width;
};
template <class C>
__device__ inline ImageSize<C> size_of(const C* sizes, int64_t image) {
  return {sizes[2 * image], sizes[2 * image + 1]};
}

template <class C>
__device__ inline int64_t count_of(const ImageObjects<C>& objects, int64_t image) {
  LossStatus reported_before = 0;
  return objects_there(objects.counts, image, objects.capacity, reported_before);
}

template <class C>
__global__ void __launch_bounds__(kBlock)
    best_anchors_kernel(const C* __restrict__ anchors, int count, ImageObjects<C> objects,
                        const C* __restrict__ sizes, C* __restrict__ best) {
  TYTO_SHARED_ARRAY(C, of_warps, kWarps);
  const int64_t place = blockIdx.x / kParts, image = place / objects.capacity;
  if (place % objects.capacity >= count_of(objects, image)) return;
  const int part = blockIdx.x % kParts, in_part = (count + kParts - 1) / kParts;
  const int first = part * in_part, end = first + in_part < count ? first + in_part : count;
  const BoxOf<C> object = load_corners(objects.boxes, place);
  const auto size = size_of(sizes, image);
  C most = -1;
  for (int i = first + static_cast<int>(threadIdx.x); i < end; i += kBlock) {
    const BoxOf<C> anchor = load_corners(anchors, i);
    if (is_within(anchor, size.height, size.width)) most = std::max(most, overlap_with(anchor, object));
  }
#pragma unroll
  for (int distance = kWarp / 2; distance > 0; distance /= 2)
    most = std::max(most, __shfl_xor_sync(kFullWarp, most, distance));
  if (threadIdx.x % kWarp == 0) of_warps[threadIdx.x / kWarp] = most;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int w = 1; w < kWarps; ++w) most = std::max(most, of_warps[w]);
  best[blockIdx.x] = most;
}

template <class C>
__global__ void __launch_bounds__(kBlock)
    label_anchors_kernel(const C* __restrict__ anchors, int count, int blocks_of_image,
                         ImageObjects<C> objects, const C* __restrict__ sizes, AnchorRules<C> rules,
                         SampleOrder order, const int32_t* __restrict__ spoiled, const C* __restrict__ best,
                         int32_t* __restrict__ labels, C* __restrict__ locations,
                         uint32_t* __restrict__ priorities) {
  using Corners = Pack<C, 4>;
  TYTO_SHARED_ARRAY(Corners, tile, kTile);
  TYTO_SHARED_ARRAY(C, best_of_tile, kTile);
  const int64_t image = blockIdx.x / blocks_of_image;
  const int thread = threadIdx.x, anchor = blockIdx.x % blocks_of_image * kBlock + thread;
  const bool is_there = anchor < count;
  const int64_t row = image * count + anchor;
  if (spoiled[image] != 0) {
    if (!is_there) return;
    labels[row] = kNoLabel;
    priorities[row] = 0;
    if (locations != nullptr) store_four(four_of(std::numeric_limits<C>::quiet_NaN()), locations, row);
    return;
  }
  const auto size = size_of(sizes, image);
  const BoxOf<C> box = is_there ? load_corners(anchors, anchor) : BoxOf<C>{-1, -1, -1, -1};
  const bool inside = is_within(box, size.height, size.width);
  const int objects_of_image = static_cast<int>(count_of(objects, image));
  C most = 0;
  BoxOf<C> owner = box;
  bool forced = false;
  for (int first = 0; first < objects_of_image; first += kTile) {
    const int here = objects_of_image - first < kTile ? objects_of_image - first : kTile;
    const int64_t place = image * objects.capacity + first;
    if (first > 0) __syncthreads();
    if (thread < here) copy_four(objects.boxes + 4 * (place + thread), tile[thread].values);
    C of_part = thread / kParts < here ? best[place * kParts + thread] : C{-1};
#pragma unroll
    for (int distance = kParts / 2; distance > 0; distance /= 2)
      of_part = std::max(of_part, __shfl_xor_sync(kFullWarp, of_part, distance));
    if (thread % kParts == 0) best_of_tile[thread / kParts] = of_part;
    __syncthreads();
    for (int j = 0; j < here; ++j) {
      const C* corners = tile[j].values;
      const BoxOf<C> object = {corners[0], corners[1], corners[2], corners[3]};
      const C overlap = overlap_with(box, object);
      forced = forced || overlap == best_of_tile[j];
      if (overlap > most || (first == 0 && j == 0)) {
        most = overlap;
        owner = object;
      }
    }
  }
  if (!is_there) return;
  labels[row] = inside ? anchor_label(most, forced, rules) : -1;
  priorities[row] = priority_of(order, SamplePurpose::Anchors, image, count, anchor);
  if (locations != nullptr)
    store_four(inside && objects_of_image > 0 ? offsets_to(box, owner) : four_of(C{0}), locations, row);
}

__global__ void __launch_bounds__(kChoosers)
    choose_anchors_kernel(int count, int most, int samples, const uint32_t* __restrict__ priorities,
                          int32_t* __restrict__ labels) {
  TYTO_SHARED_ARRAY(SampleSearch, search, 1);
  labels += static_cast<int64_t>(blockIdx.x) * count;
  priorities += static_cast<int64_t>(blockIdx.x) * count;
  // kNoLabel is below 0, too.
  choose_samples(
      count, most, samples, search[0], [&](int i) { return labels[i]; },
      [&](int i) { return priorities[i]; });
  for (int i = threadIdx.x; i < count; i += kChoosers) {
    const int label = labels[i];
    const uint64_t key = sample_key(priorities[i], i);
    labels[i] = label >= 0 && key >= search[0].end[label] ? -1 : label;
  }
}

}  // namespace

template <class C>
int64_t anchor_targets_workspace(int64_t batch, int64_t capacity, int64_t count) {
  Workspace measured;
  Memory<C>(measured, batch, capacity, count);
  return measured.bytes();
}

template <class C>
void anchor_targets(const C* anchors, int64_t count, const ImageObjects<C>& objects, const C* sizes,
                    const AnchorTargets& options, const SampleOrder& order, const TargetedAnchors<C>& out,
                    void* workspace, Stream stream) {
  checked_int(objects.batch * count, "the anchors of a batch");
  checked_int(objects.batch * objects.capacity, "the objects of a batch");
  Workspace pieces(workspace);
  const Memory<C> m(pieces, objects.batch, objects.capacity, count);
  const auto anchors_of_image = static_cast<int>(count);
  check_objects(objects, false, m.spoiled, out.status, stream);
  launch<best_anchors_kernel<C>>(
      {.grid = blocks_for(objects.batch * objects.capacity * kParts, 1), .block = kBlock, .stream = stream},
      anchors, anchors_of_image, objects, sizes, m.best);
  const unsigned blocks = blocks_for(count, kBlock);
  launch<label_anchors_kernel<C>>(
      {.grid = blocks_for(objects.batch * blocks, 1), .block = kBlock, .stream = stream}, anchors,
      anchors_of_image, static_cast<int>(blocks), objects, sizes, AnchorRules<C>(options), order, m.spoiled,
      m.best, out.labels, out.locations, m.priorities);
  launch<choose_anchors_kernel>({.grid = blocks_for(objects.batch, 1), .block = kChoosers, .stream = stream},
                                anchors_of_image, static_cast<int>(positives_of(options)), options.samples,
                                m.priorities, out.labels);
}

#define TYTO_INSTANTIATE(C)                                                                               \
  template void anchor_targets(const C*, int64_t, const ImageObjects<C>&, const C*, const AnchorTargets&, \
                               const SampleOrder&, const TargetedAnchors<C>&, void*, Stream);             \
  template int64_t anchor_targets_workspace<C>(int64_t, int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

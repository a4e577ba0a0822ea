// Regions for the second stage to learn from, on CUDA: the best object of every candidate (a region, or an
// object behind all places of regions), a thread a candidate, objects passing through shared memory; then the
// choice and its rows, a block an image.
//
// Cost for n candidates and g objects of an image: n g overlaps of some 16 instructions, 28 n bytes moved;
// the choice reads 8 n bytes a few times from the L2 cache.
#include "kernels/losses/proposal_targets.h"

#include "kernels/common/launch.h"
#include "kernels/common/workspace.h"
#include "kernels/detection/bitonic_sort.cuh"
#include "kernels/losses/object_faults.h"
#include "kernels/losses/proposal_targets_math.h"
#include "kernels/losses/regions.cuh"
#include "kernels/losses/sample_order.cuh"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256;
constexpr int kTile = 32;       // objects
constexpr int kChoosers = 512;  // threads that choose
constexpr int kMostSamples = 1024;

struct Memory {
  int32_t* spoiled;          // [batch]
  int32_t *kinds, *objects;  // [batch, candidates]: RegionKind; the object of the best overlap
  uint32_t* priorities;      // [batch, candidates]

  Memory(Workspace& workspace, int64_t batch, int64_t candidates)
      : spoiled(workspace.take<int32_t>(batch)),
        kinds(workspace.take<int32_t>(batch * candidates)),
        objects(workspace.take<int32_t>(batch * candidates)),
        priorities(workspace.take<uint32_t>(batch * candidates)) {}
};

// Candidate i of an image.
template <class C>
__device__ inline BoxOf<C> candidate_box(const ProposedRegions<C>& regions, const ImageObjects<C>& objects,
                                         int64_t image, int i) {
  if (i >= regions.capacity)
    return load_corners(objects.boxes, image * objects.capacity + i - regions.capacity);
  const int64_t row = image * regions.capacity + i;
  return regions.stride == 4 ? load_corners(regions.rows, row) : box_at(regions.rows + row * regions.stride);
}

template <class C>
__global__ void __launch_bounds__(kBlock)
    judge_regions_kernel(ProposedRegions<C> regions, ImageObjects<C> objects, int blocks_of_image,
                         RegionRules<C> rules, SampleOrder order, int32_t* spoiled, LossStatus* status,
                         int32_t* __restrict__ kinds, int32_t* __restrict__ owners,
                         uint32_t* __restrict__ priorities) {
  using Corners = Pack<C, 4>;
  TYTO_SHARED_ARRAY(Corners, tile, kTile);
  const int64_t image = blockIdx.x / blocks_of_image;
  const int thread = threadIdx.x, i = blockIdx.x % blocks_of_image * kBlock + thread;
  const int64_t candidates = regions.capacity + objects.capacity, row = image * candidates + i;
  LossStatus fault = 0, reported_before = 0;
  const int64_t proposed = regions_there(regions, image, fault);
  const int there = static_cast<int>(objects_there(objects.counts, image, objects.capacity, reported_before));
  const bool is_region = i < proposed;
  const bool is_there = is_region || (i >= regions.capacity && i < regions.capacity + there);
  const BoxOf<C> box = is_there ? candidate_box(regions, objects, image, i) : BoxOf<C>{0, 0, 0, 0};
  if (i != 0) fault = 0;
  if (is_region && !is_finite(box)) {
    fault = loss_status(LossFault::NotFinite, LossInput::Rois, image * regions.capacity + i);
    atomicMax(spoiled + image, 1);
  }
  if (fault != 0 && status != nullptr) atomicMax(status, fault);
  C most = 0;
  int owner = 0;
  for (int first = 0; first < there; first += kTile) {
    const int here = there - first < kTile ? there - first : kTile;
    if (first > 0) __syncthreads();
    if (thread < here)
      copy_four(objects.boxes + 4 * (image * objects.capacity + first + thread), tile[thread].values);
    __syncthreads();
    for (int j = 0; j < here; ++j) {
      const C* corners = tile[j].values;
      const C overlap = overlap_with(box, {corners[0], corners[1], corners[2], corners[3]});
      if (overlap > most) {
        most = overlap;
        owner = first + j;
      }
    }
  }
  if (i >= candidates) return;
  kinds[row] = static_cast<int32_t>(is_there ? region_kind(most, there > 0, rules) : RegionKind::Neither);
  owners[row] = owner;
  priorities[row] = priority_of(order, SamplePurpose::Regions, image, candidates, i);
}

template <class C>
__global__ void __launch_bounds__(kChoosers)
    choose_regions_kernel(ProposedRegions<C> regions, ImageObjects<C> objects, RegionRules<C> rules, int most,
                          int samples, const int32_t* __restrict__ spoiled, const int32_t* __restrict__ kinds,
                          const int32_t* __restrict__ owners, const uint32_t* __restrict__ priorities,
                          SampledRegions<C> out) {
  TYTO_SHARED_ARRAY(SampleSearch, search, 1);
  TYTO_SHARED_ARRAY(uint64_t, chosen, kMostSamples);
  TYTO_SHARED_ARRAY(int, found, 1);
  const int64_t image = blockIdx.x, first = image * samples;
  const int thread = threadIdx.x;
  if (spoiled[image] != 0) {
    if (thread == 0) out.counts[image] = 0;
    for (int s = thread; s < samples; s += kChoosers) {
      const auto nan = four_of(std::numeric_limits<C>::quiet_NaN());
      out.labels[first + s] = kNoLabel;
      store_four(nan, out.rois, first + s);
      store_four(nan, out.locations, first + s);
    }
    return;
  }
  const auto candidates = static_cast<int>(regions.capacity + objects.capacity);
  kinds += image * candidates;
  owners += image * candidates;
  priorities += image * candidates;
  if (thread == 0) found[0] = 0;
  choose_samples(
      candidates, most, samples, search[0], [&](int i) { return kinds[i]; },
      [&](int i) { return priorities[i]; });
  // The positive first, each in their order, which is not that in which they are found.
  for (int i = thread; i < candidates; i += kChoosers) {
    const int kind = kinds[i];
    const uint64_t key = sample_key(priorities[i], i);
    if (kind >= 0 && key < search[0].end[kind])
      chosen[atomicAdd(found, 1)] = uint64_t{kind == 0} << 32 | static_cast<uint64_t>(i);
  }
  __syncthreads();
  const int positives = search[0].taken[1], count = positives + search[0].taken[0];
  bitonic_sort(chosen, count);
  if (thread == 0) out.counts[image] = count;
  LossStatus reported_before = 0;
  const bool has_objects = objects_there(objects.counts, image, objects.capacity, reported_before) > 0;
  for (int s = thread; s < samples; s += kChoosers) {
    int32_t label = -1;
    std::array<C, 4> roi = four_of(C{0}), location = roi;
    if (s < count) {
      const int i = static_cast<int>(static_cast<uint32_t>(chosen[s]));
      const BoxOf<C> box = candidate_box(regions, objects, image, i);
      const int64_t object = image * objects.capacity + owners[i];
      label = s < positives ? objects.classes[object] + 1 : 0;
      roi = {box.x1, box.y1, box.x2, box.y2};
      if (has_objects) location = region_target(box, load_corners(objects.boxes, object), rules);
    }
    out.labels[first + s] = label;
    store_four(roi, out.rois, first + s);
    store_four(location, out.locations, first + s);
  }
}

}  // namespace

template <class C>
int64_t proposal_targets_workspace(int64_t batch, int64_t regions_capacity, int64_t objects_capacity, int) {
  Workspace measured;
  Memory(measured, batch, regions_capacity + objects_capacity);
  return measured.bytes();
}

template <class C>
void proposal_targets(const ProposedRegions<C>& regions, const ImageObjects<C>& objects,
                      const ProposalTargets& options, const SampleOrder& order, const SampledRegions<C>& out,
                      void* workspace, Stream stream) {
  const int64_t candidates = regions.capacity + objects.capacity;
  checked_int(objects.batch * candidates, "the regions of a batch");
  if (options.samples > kMostSamples)
    throw DeviceError(std::to_string(options.samples) + " regions sampled an image exceed " +
                      std::to_string(kMostSamples));
  Workspace pieces(workspace);
  const Memory m(pieces, objects.batch, candidates);
  const RegionRules<C> rules(options);
  check_objects(objects, true, m.spoiled, out.status, stream);
  const unsigned blocks = blocks_for(candidates, kBlock);
  launch<judge_regions_kernel<C>>(
      {.grid = blocks_for(objects.batch * blocks, 1), .block = kBlock, .stream = stream}, regions, objects,
      static_cast<int>(blocks), rules, order, m.spoiled, out.status, m.kinds, m.objects, m.priorities);
  launch<choose_regions_kernel<C>>(
      {.grid = blocks_for(objects.batch, 1), .block = kChoosers, .stream = stream}, regions, objects, rules,
      static_cast<int>(positives_of(options)), options.samples, m.spoiled, m.kinds, m.objects, m.priorities,
      out);
}

#define TYTO_INSTANTIATE(C)                                                                                 \
  template void proposal_targets(const ProposedRegions<C>&, const ImageObjects<C>&, const ProposalTargets&, \
                                 const SampleOrder&, const SampledRegions<C>&, void*, Stream);              \
  template int64_t proposal_targets_workspace<C>(int64_t, int64_t, int64_t, int);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

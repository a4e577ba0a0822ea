#include <algorithm>

#include "kernels/common/workspace.h"
#include "kernels/losses/proposal_targets.h"
#include "kernels/losses/proposal_targets_math.h"
#include "kernels/losses/region_overlaps_cpu.h"
#include "kernels/losses/sample_order_cpu.h"

namespace tyto::kernels {
namespace {

// Of one image at a time. A candidate is a region, or an object behind all places of regions.
template <class C>
struct Memory {
  C* best;                          // [candidates]
  int32_t* objects;                 // [candidates]: that of the best overlap
  uint64_t *positives, *negatives;  // [candidates] keys

  Memory(Workspace& workspace, int64_t candidates)
      : best(workspace.take<C>(candidates)),
        objects(workspace.take<int32_t>(candidates)),
        positives(workspace.take<uint64_t>(candidates)),
        negatives(workspace.take<uint64_t>(candidates)) {}
};

template <class C>
void find_best(const C* boxes, int64_t stride, int64_t count, const C* objects, int64_t there, C* best,
               int32_t* owners) {
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < count; first += kRegionChunk) {
    const int64_t n = std::min(kRegionChunk, count - first);
    C overlaps[kRegionChunk];
    std::fill_n(best + first, n, C{0});
    std::fill_n(owners + first, n, 0);
    for (int64_t j = 0; j < there; ++j) {
      overlaps_cpu(box_at(objects + 4 * j), boxes + stride * first, stride, n, overlaps);
      keep_best_cpu(overlaps, static_cast<int32_t>(j), n, best + first, owners + first);
    }
  }
}

// The `wanted` smallest of the keys, or all, to the front in the order of their indices. Returns how many.
int64_t choose(uint64_t* keys, int64_t count, int64_t wanted) {
  end_of_sample(keys, count, wanted);
  const int64_t taken = std::min(wanted, count);
  std::sort(keys, keys + taken,
            [](uint64_t a, uint64_t b) { return static_cast<uint32_t>(a) < static_cast<uint32_t>(b); });
  return taken;
}

}  // namespace

template <class C>
int64_t proposal_targets_cpu_workspace(int64_t, int64_t regions_capacity, int64_t objects_capacity, int) {
  Workspace measured;
  Memory<C>(measured, regions_capacity + objects_capacity);
  return measured.bytes();
}

template <class C>
void proposal_targets_cpu(const ProposedRegions<C>& regions, const ImageObjects<C>& objects,
                          const ProposalTargets& options, const SampleOrder& order,
                          const SampledRegions<C>& out, void* workspace) {
  constexpr C kNan = std::numeric_limits<C>::quiet_NaN();
  const int64_t candidates = regions.capacity + objects.capacity, samples = options.samples;
  Workspace pieces(workspace);
  const Memory<C> m(pieces, candidates);
  const RegionRules<C> rules(options);
  LossStatus found = 0;
  for (int64_t b = 0; b < objects.batch; ++b) {
    const C *rows = regions.rows + b * regions.capacity * regions.stride,
            *boxes = objects.boxes + 4 * b * objects.capacity;
    C *rois = out.rois + 4 * b * samples, *locations = out.locations + 4 * b * samples;
    int32_t* labels = out.labels + b * samples;
    LossStatus of_image = 0;
    const int64_t there = objects_there(objects.counts, b, objects.capacity, of_image);
    const int64_t proposed = regions_there(regions, b, of_image);
    bool lost = false;
    const auto join = [&](LossStatus fault) {
      lost = lost || is_fatal(fault);
      of_image = std::max(of_image, fault);
    };
    for (int64_t j = 0; j < there; ++j)
      join(fault_of_object(box_at(boxes + 4 * j), objects.classes, b * objects.capacity + j));
    for (int64_t i = 0; i < proposed; ++i)
      if (!is_finite(box_at(rows + i * regions.stride)))
        join(loss_status(LossFault::NotFinite, LossInput::Rois, b * regions.capacity + i));
    found = std::max(found, of_image);
    if (lost) {
      out.counts[b] = 0;
      std::fill_n(labels, samples, kNoLabel);
      std::fill_n(rois, 4 * samples, kNan);
      std::fill_n(locations, 4 * samples, kNan);
      continue;
    }
    find_best(rows, regions.stride, proposed, boxes, there, m.best, m.objects);
    find_best(boxes, 4, there, boxes, there, m.best + regions.capacity, m.objects + regions.capacity);
    int64_t positives = 0, negatives = 0;
    const auto consider = [&](int64_t i) {
      const RegionKind kind = region_kind(m.best[i], there > 0, rules);
      const uint64_t key = sample_key(priority_of(order, SamplePurpose::Regions, b, candidates, i), i);
      if (kind == RegionKind::Positive) m.positives[positives++] = key;
      if (kind == RegionKind::Negative) m.negatives[negatives++] = key;
    };
    for (int64_t i = 0; i < proposed; ++i) consider(i);
    for (int64_t j = 0; j < there; ++j) consider(regions.capacity + j);
    const int64_t foreground = choose(m.positives, positives, positives_of(options));
    const int64_t count = foreground + choose(m.negatives, negatives, samples - foreground);
    out.counts[b] = static_cast<int32_t>(count);
    for (int64_t s = 0; s < samples; ++s) {
      std::array<C, 4> roi = {}, location = {};
      labels[s] = s < count ? 0 : -1;
      if (s < count) {
        const uint64_t key = s < foreground ? m.positives[s] : m.negatives[s - foreground];
        const auto i = static_cast<int64_t>(static_cast<uint32_t>(key));
        const C* region =
            i < regions.capacity ? rows + i * regions.stride : boxes + 4 * (i - regions.capacity);
        std::copy_n(region, 4, roi.data());
        const int64_t object = m.objects[i];
        if (s < foreground) labels[s] = objects.classes[b * objects.capacity + object] + 1;
        if (there > 0) location = region_target(box_at(region), box_at(boxes + 4 * object), rules);
      }
      std::copy_n(roi.data(), 4, rois + 4 * s);
      std::copy_n(location.data(), 4, locations + 4 * s);
    }
  }
  if (out.status != nullptr) *out.status = std::max(*out.status, found);
}

#define TYTO_INSTANTIATE(C)                                                                                \
  template void proposal_targets_cpu(const ProposedRegions<C>&, const ImageObjects<C>&,                    \
                                     const ProposalTargets&, const SampleOrder&, const SampledRegions<C>&, \
                                     void*);                                                               \
  template int64_t proposal_targets_cpu_workspace<C>(int64_t, int64_t, int64_t, int);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

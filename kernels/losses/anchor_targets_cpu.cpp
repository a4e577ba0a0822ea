#include <algorithm>

#include "kernels/common/workspace.h"
#include "kernels/losses/anchor_targets.h"
#include "kernels/losses/anchor_targets_math.h"
#include "kernels/losses/region_overlaps_cpu.h"
#include "kernels/losses/sample_order_cpu.h"

namespace tyto::kernels {
namespace {

int64_t chunks_of(int64_t count) { return (count + kRegionChunk - 1) / kRegionChunk; }

// Of one image at a time.
template <class C>
struct Memory {
  C* best;                          // [chunks, capacity]: each object's best overlap; -1 without an anchor
  uint64_t *positives, *negatives;  // [count] keys

  Memory(Workspace& workspace, int64_t capacity, int64_t count)
      : best(workspace.take<C>(chunks_of(count) * capacity)),
        positives(workspace.take<uint64_t>(count)),
        negatives(workspace.take<uint64_t>(count)) {}
};

template <class C>
struct Image {
  const C* anchors;
  int64_t count;
  const C* objects;
  int64_t there, capacity;  // objects
  C height, width;
  AnchorRules<C> rules;

  bool within(int64_t anchor) const { return is_within(box_at(anchors + 4 * anchor), height, width); }

  // best [capacity] of the chunk's anchors.
  void find_best(int64_t first, C* best) const {
    const int64_t n = std::min(kRegionChunk, count - first);
    C overlaps[kRegionChunk];
    bool inside[kRegionChunk];
    for (int64_t i = 0; i < n; ++i) inside[i] = within(first + i);
    for (int64_t j = 0; j < there; ++j) {
      overlaps_cpu(box_at(objects + 4 * j), anchors + 4 * first, 4, n, overlaps);
      best[j] = -1;
      for (int64_t i = 0; i < n; ++i) best[j] = inside[i] && overlaps[i] > best[j] ? overlaps[i] : best[j];
    }
  }

  // best [capacity] of all anchors. Locations may be null.
  void label(int64_t first, const C* best_of_objects, int32_t* labels, C* locations) const {
    const int64_t n = std::min(kRegionChunk, count - first);
    C overlaps[kRegionChunk], best[kRegionChunk] = {};
    int32_t owners[kRegionChunk] = {};
    bool forced[kRegionChunk] = {};
    for (int64_t j = 0; j < there; ++j) {
      overlaps_cpu(box_at(objects + 4 * j), anchors + 4 * first, 4, n, overlaps);
      keep_best_cpu(overlaps, static_cast<int32_t>(j), n, best, owners);
      for (int64_t i = 0; i < n; ++i) forced[i] |= overlaps[i] == best_of_objects[j];
    }
    for (int64_t i = 0; i < n; ++i) {
      const bool inside = within(first + i);
      labels[first + i] = inside ? anchor_label(best[i], forced[i], rules) : -1;
      if (locations == nullptr) continue;
      std::array<C, 4> offsets = {};
      if (inside && there > 0)
        offsets = offsets_to(box_at(anchors + 4 * (first + i)), box_at(objects + 4 * owners[i]));
      std::copy_n(offsets.data(), 4, locations + 4 * (first + i));
    }
  }
};

}  // namespace

template <class C>
int64_t anchor_targets_cpu_workspace(int64_t, int64_t capacity, int64_t count) {
  Workspace measured;
  Memory<C>(measured, capacity, count);
  return measured.bytes();
}

template <class C>
void anchor_targets_cpu(const C* anchors, int64_t count, const ImageObjects<C>& objects, const C* sizes,
                        const AnchorTargets& options, const SampleOrder& order, const TargetedAnchors<C>& out,
                        void* workspace) {
  Workspace pieces(workspace);
  const Memory<C> m(pieces, objects.capacity, count);
  const int64_t chunks = chunks_of(count);
  LossStatus found = 0;
  for (int64_t b = 0; b < objects.batch; ++b) {
    int32_t* labels = out.labels + b * count;
    C* locations = out.locations == nullptr ? nullptr : out.locations + 4 * b * count;
    LossStatus of_image = 0;
    const int64_t there = objects_there(objects.counts, b, objects.capacity, of_image);
    bool lost = false;
    for (int64_t j = 0; j < there; ++j) {
      const LossStatus fault = fault_of_object<C>(box_at(objects.boxes + 4 * (b * objects.capacity + j)),
                                                  nullptr, b * objects.capacity + j);
      lost = lost || is_fatal(fault);
      of_image = std::max(of_image, fault);
    }
    found = std::max(found, of_image);
    if (lost) {
      std::fill_n(labels, count, kNoLabel);
      if (locations != nullptr) std::fill_n(locations, 4 * count, std::numeric_limits<C>::quiet_NaN());
      continue;
    }
    const Image<C> image = {anchors,
                            count,
                            objects.boxes + 4 * b * objects.capacity,
                            there,
                            objects.capacity,
                            sizes[2 * b],
                            sizes[2 * b + 1],
                            AnchorRules<C>(options)};
#pragma omp parallel for schedule(static)
    for (int64_t chunk = 0; chunk < chunks; ++chunk)
      image.find_best(chunk * kRegionChunk, m.best + chunk * objects.capacity);
    for (int64_t chunk = 1; chunk < chunks; ++chunk)
      for (int64_t j = 0; j < there; ++j)
        m.best[j] = std::max(m.best[j], m.best[chunk * objects.capacity + j]);
#pragma omp parallel for schedule(static)
    for (int64_t chunk = 0; chunk < chunks; ++chunk)
      image.label(chunk * kRegionChunk, m.best, labels, locations);

    const auto key = [&](int64_t i) {
      return sample_key(priority_of(order, SamplePurpose::Anchors, b, count, i), i);
    };
    int64_t positives = 0, negatives = 0;
    for (int64_t i = 0; i < count; ++i) {
      if (labels[i] == 1) m.positives[positives++] = key(i);
      if (labels[i] == 0) m.negatives[negatives++] = key(i);
    }
    const int64_t most = positives_of(options), kept = std::min(positives, most);
    const uint64_t end_of_positives = end_of_sample(m.positives, positives, most);
    const uint64_t end_of_negatives = end_of_sample(m.negatives, negatives, options.samples - kept);
    for (int64_t i = 0; i < count; ++i)
      if (labels[i] >= 0 && key(i) >= (labels[i] == 1 ? end_of_positives : end_of_negatives)) labels[i] = -1;
  }
  if (out.status != nullptr) *out.status = std::max(*out.status, found);
}

#define TYTO_INSTANTIATE(C)                                                                             \
  template void anchor_targets_cpu(const C*, int64_t, const ImageObjects<C>&, const C*,                 \
                                   const AnchorTargets&, const SampleOrder&, const TargetedAnchors<C>&, \
                                   void*);                                                              \
  template int64_t anchor_targets_cpu_workspace<C>(int64_t, int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

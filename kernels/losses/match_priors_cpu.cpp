#include <algorithm>

#include "kernels/common/multiversion.h"
#include "kernels/common/workspace.h"
#include "kernels/losses/match_priors_math.h"

namespace tyto::kernels {
namespace {

constexpr int64_t kLanes = 16;  // priors that are worked on side by side

// The priors' corners in columns, so that neighbouring priors make a vector.
template <class C>
struct Columns {
  C *x1, *y1, *x2, *y2;

  BoxOf<C> box(int64_t i) const { return {x1[i], y1[i], x2[i], y2[i]}; }
};

template <class C>
struct Memory {
  Columns<C> priors;
  C* overlap;                // [batch, priors]  with the best object
  int32_t* object;           // [batch, priors]
  BestOverlap<C>* of_prior;  // [batch, capacity]  each object's best prior

  Memory(Workspace& workspace, int64_t batch, int64_t capacity, int64_t count)
      : priors{workspace.take<C>(count), workspace.take<C>(count), workspace.take<C>(count),
               workspace.take<C>(count)},
        overlap(workspace.take<C>(batch * count)),
        object(workspace.take<int32_t>(batch * count)),
        of_prior(workspace.take<BestOverlap<C>>(batch * capacity)) {}
};

// Object number `index` joins what each prior overlaps most; returns which prior overlaps it most.
template <class C>
[[gnu::always_inline]] inline BestOverlap<C> join_object(const BoxOf<C>& object, int32_t index,
                                                         const Columns<C>& p, int64_t count,
                                                         C* __restrict overlap, int32_t* __restrict owner) {
  const C* __restrict x1 = p.x1, * __restrict y1 = p.y1, * __restrict x2 = p.x2, * __restrict y2 = p.y2;
  C best[kLanes];
  int32_t best_at[kLanes];
  std::fill_n(best, kLanes, C{-1});
  std::fill_n(best_at, kLanes, -1);
  const int64_t whole = count / kLanes * kLanes;
  for (int64_t first = 0; first < whole; first += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) {
      const int64_t i = first + l;
      const C o = iou(object, {x1[i], y1[i], x2[i], y2[i]});
      const bool more = overlaps_more(o, overlap[i]), most = overlaps_more(o, best[l]);
      overlap[i] = more ? o : overlap[i];
      owner[i] = more ? index : owner[i];
      best[l] = most ? o : best[l];
      best_at[l] = most ? static_cast<int32_t>(first + l) : best_at[l];
    }
  BestOverlap<C> found = {best[0], best_at[0]};
  for (int64_t l = 1; l < kLanes; ++l) found = better_of(found, {best[l], best_at[l]});
  for (int64_t i = whole; i < count; ++i) {
    const C o = iou(object, {x1[i], y1[i], x2[i], y2[i]});
    if (overlaps_more(o, overlap[i])) {
      overlap[i] = o;
      owner[i] = index;
    }
    if (overlaps_more(o, found.overlap)) found = {o, static_cast<int32_t>(i)};
  }
  return found;
}

#define TYTO_OF(C)                                                                                  \
  TYTO_MULTIVERSION BestOverlap<C> join(const BoxOf<C>& object, int32_t index, const Columns<C>& p, \
                                        int64_t count, C* overlap, int32_t* owner) {                \
    return join_object(object, index, p, count, overlap, owner);                                    \
  }
TYTO_OF(double)
TYTO_OF(float)
#undef TYTO_OF

template <class C>
BoxOf<C> box_at(const C* boxes, int64_t i) {
  return {boxes[4 * i], boxes[4 * i + 1], boxes[4 * i + 2], boxes[4 * i + 3]};
}

// owner [count] becomes the object of each prior, -1 of none; boxes are the image's.
template <class C>
void match_image(const C* boxes, int64_t objects, const Columns<C>& priors, int64_t count,
                 const MatchPriors& p, C* overlap, int32_t* owner, BestOverlap<C>* of_prior) {
  std::fill_n(overlap, count, C{-1});
  std::fill_n(owner, count, -1);
  if (objects == 0) return;
  for (int64_t j = 0; j < objects; ++j)
    of_prior[j] = join(box_at(boxes, j), static_cast<int32_t>(j), priors, count, overlap, owner);
  const C threshold = static_cast<C>(p.threshold);
  for (int64_t i = 0; i < count; ++i)
    if (!matches(overlap[i], threshold, p.rule)) {
      owner[i] = -1;
      overlap[i] = -1;
    }
  for (int64_t j = 0; j < objects; ++j) {
    const auto [best, at] = of_prior[j];
    if (at < 0 || !takes_best_prior(best, p.rule)) continue;
    if (p.rule == PriorMatch::BestPriorOfUnmatched && !(best > overlap[at])) continue;
    owner[at] = static_cast<int32_t>(j);
    overlap[at] = best;
  }
}

}  // namespace

template <class C>
void match_priors_cpu(const ImageObjects<C>& objects, const Priors<C>& priors, const MatchPriors& p,
                      const MatchedPriors<C>& out, void* memory) {
  const int64_t count = priors.count, capacity = objects.capacity;
  Workspace workspace(memory);
  const Memory<C> m(workspace, objects.batch, capacity, count);
  for (int64_t i = 0; i < count; ++i) {
    const BoxOf<C> box = prior_corners(priors.boxes + 4 * i, priors.corners);
    m.priors.x1[i] = box.x1;
    m.priors.y1[i] = box.y1;
    m.priors.x2[i] = box.x2;
    m.priors.y2[i] = box.y2;
  }
  LossStatus found = 0;
#pragma omp parallel for schedule(static) reduction(max : found)
  for (int64_t image = 0; image < objects.batch; ++image) {
    const int64_t there = objects_there(objects.counts, image, capacity, found);
    const C* boxes = objects.boxes + image * capacity * 4;
    const int32_t* classes = objects.classes + image * capacity;
    for (int64_t j = 0; j < there; ++j) {
      found = std::max(found, object_fault(box_at(boxes, j), image * capacity + j));
      if (label_of(classes[j], p) < 0)
        found = std::max(found, loss_status(LossFault::Label, LossInput::Labels, image * capacity + j));
    }
    int32_t* owner = m.object + image * count;
    match_image(boxes, there, m.priors, count, p, m.overlap + image * count, owner,
                m.of_prior + image * capacity);
    if (out.objects != nullptr) std::copy_n(owner, count, out.objects + image * count);
    int32_t* labels = out.labels + image * count;
    std::fill_n(labels, count, 0);
    C* targets = out.targets == nullptr ? nullptr : out.targets + image * count * 4;
    if (targets != nullptr) std::fill_n(targets, count * 4, C{0});
    if (there == 0) continue;
    for (int64_t i = 0; i < count; ++i) {
      if (owner[i] < 0) continue;
      labels[i] = label_of(classes[owner[i]], p);
      if (targets == nullptr) continue;
      const auto target =
          location_target(priors.boxes + 4 * i, priors.corners, box_at(boxes, owner[i]), p.variance);
      std::copy_n(target.data(), 4, targets + 4 * i);
    }
  }
  if (out.status != nullptr) *out.status = std::max(*out.status, found);
}

template <class C>
int64_t match_priors_cpu_workspace(int64_t batch, int64_t capacity, int64_t priors) {
  Workspace workspace;
  Memory<C>(workspace, batch, capacity, priors);
  return workspace.bytes();
}

#define TYTO_INSTANTIATE(C)                                                                    \
  template void match_priors_cpu(const ImageObjects<C>&, const Priors<C>&, const MatchPriors&, \
                                 const MatchedPriors<C>&, void*);                              \
  template int64_t match_priors_cpu_workspace<C>(int64_t, int64_t, int64_t);
TYTO_INSTANTIATE(double)
TYTO_INSTANTIATE(float)
#undef TYTO_INSTANTIATE

}  // namespace tyto::kernels

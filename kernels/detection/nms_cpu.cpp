#include <omp.h>

#include <algorithm>
#include <limits>
#include <span>

#include "kernels/common/multiversion.h"
#include "kernels/common/rank_key.h"
#include "kernels/detection/best_keys_cpu.h"
#include "kernels/detection/nms.h"
#include "kernels/detection/nms_lists.h"
#include "kernels/detection/nms_math.h"

namespace tyto::kernels {
namespace {

constexpr int64_t kGroup = 32;  // kept boxes that a candidate is compared with at once

constexpr int64_t padded(int64_t count) { return (count + kGroup - 1) / kGroup * kGroup; }

// The boxes kept of a list, each coordinate by itself, so that one instruction compares with several. Behind
// the last box, up to a whole group, stand boxes without area, far from all others.
struct KeptBoxes {
  float *x1, *y1, *x2, *y2, *area;
  int64_t count = 0;

  KeptBoxes(float* memory, int64_t capacity)
      : x1(memory), y1(x1 + capacity), x2(y1 + capacity), y2(x2 + capacity), area(y2 + capacity) {}

  void append(const Box& b, float one) {
    if (count % kGroup == 0) {
      for (float* corners : {x1, y1, x2, y2})
        std::fill_n(corners + count, kGroup, std::numeric_limits<float>::max());
      std::fill_n(area + count, kGroup, 0.0f);
    }
    x1[count] = b.x1;
    y1[count] = b.y1;
    x2[count] = b.x2;
    y2[count] = b.y2;
    area[count++] = kernels::area(b, one);
  }
};

// A candidate is compared with those kept before it alone: work in proportion to what is found. Divisions are
// left to groups in which one may suppress it: as a float, shared / both is less than the threshold wherever
// shared < both * below, which is less by more than both roundings. Of a NaN, an infinity and a union without
// area that is never sure.
TYTO_MULTIVERSION bool is_suppressed(const KeptBoxes& kept, const Box& c, const Nms& p) {
  const float below = p.iou_threshold > 0 ? p.iou_threshold * (1 - 0x1p-20f) : -1.0f;
  const float one = one_of(p), of_candidate = area(c, one);
  const float *x1 = kept.x1, *y1 = kept.y1, *x2 = kept.x2, *y2 = kept.y2, *areas = kept.area;
  for (int64_t first = 0; first < kept.count; first += kGroup) {
    int32_t unsure = 0;
    for (int64_t i = first; i < first + kGroup; ++i) {
      const float shared = shared_area({x1[i], y1[i], x2[i], y2[i]}, c, one);
      unsure |= shared < (areas[i] + of_candidate - shared) * below ? 0 : 1;
    }
    if (unsure == 0) continue;
    int32_t suppressed = 0;
    for (int64_t i = first; i < first + kGroup; ++i)
      suppressed |= i < kept.count && suppresses({x1[i], y1[i], x2[i], y2[i]}, c, p) ? 1 : 0;
    if (suppressed != 0) return true;
  }
  return false;
}

// The candidates of one list, as keys of score and number, to `keys`. Returns how many.
int64_t find_candidates(const NmsLists& lists, int list, const Box* boxes, const float* scores,
                        int boxes_there, float threshold, uint64_t* keys) {
  uint64_t* end = keys;
  for (int i = lists.first(list), behind = i + lists.size(list); i < behind;) {
    const int label = i / lists.count, of_label = label * lists.count;  // the first candidate of the class
    const int last = std::min(behind, of_label + std::min(lists.count, boxes_there));
    const Box* box = boxes + lists.box(i);
    const int64_t stride = lists.class_boxes ? lists.classes : 1;
    for (; i < last; ++i, box += stride)
      if (scores[i] > threshold && is_finite(*box)) *end++ = rank_key(scores[i], i);
    i = of_label + lists.count;
  }
  return end - keys;
}

// What is kept and shown of a list: keys of score and place among the image's kept, and the candidates there.
int64_t suppress(const NmsLists& lists, int64_t list, int64_t most, const Box* boxes,
                 std::span<const uint64_t> candidates, const Nms& p, KeptBoxes kept, uint64_t* shown,
                 int32_t* kept_candidates) {
  int64_t count = 0;
  for (const uint64_t key : candidates) {
    if (kept.count == most) break;
    const int32_t candidate = rank_key_index(key);
    const Box& box = boxes[lists.box(candidate)];
    if (is_small(box, p) || is_suppressed(kept, box, p)) continue;
    if (is_shown(box, p))
      shown[count++] =
          rank_key(shown_score(rank_key_score(key), p), static_cast<int32_t>(list * most + kept.count));
    kept_candidates[kept.count] = candidate;
    kept.append(box, one_of(p));
  }
  return count;
}

}  // namespace

int64_t detection_capacity(const Nms& p, int64_t classes, int64_t count) {
  int64_t kept = classes * most_kept(p, count);
  if (p.agnostic) kept = most_kept(p, classes * count);
  if (has_levels(p)) {
    kept = 0;
    for (const int boxes : p.levels) kept += most_kept(p, boxes);
  }
  return limited(kept, p.max_detections);
}

int64_t nms_workspace(const Nms& p, int64_t n, int64_t classes, int64_t count, int threads) {
  const NmsLists lists = lists_of(p, classes, count);
  const int64_t all = n * lists.per_image, most = most_kept(p, lists.longest);
  const auto bytes_of = [](int64_t elements, size_t size) { return elements * static_cast<int64_t>(size); };
  return bytes_of(all, sizeof(int64_t)) +
         bytes_of(all * most + threads * 2 * lists.longest, sizeof(uint64_t)) +
         bytes_of(all * most, sizeof(int32_t)) + bytes_of(threads * 5 * padded(most), sizeof(float));
}

void nms_cpu(const BoxScores& in, const Nms& p, int threads, void* workspace, float* detections,
             int32_t* counts, int32_t* kept) {
  const NmsLists lists = lists_of(p, in.classes, in.count, in.class_boxes);
  const int64_t all = in.n * lists.per_image, longest = lists.longest, most = most_kept(p, longest);
  const int64_t rows = detection_capacity(p, in.classes, in.count);
  const int64_t image_scores = in.classes * in.count;
  const int64_t image_boxes = in.class_boxes ? image_scores : in.count;
  int64_t* const shown_counts = static_cast<int64_t*>(workspace);       // [n, lists]
  auto* const shown = reinterpret_cast<uint64_t*>(shown_counts + all);  // [n, lists, most]
  uint64_t* const keys = shown + all * most;                            // [threads, 2, longest]
  auto* const candidates_kept = reinterpret_cast<int32_t*>(keys + threads * 2 * longest);  // [n, lists, most]
  auto* const kept_boxes =
      reinterpret_cast<float*>(candidates_kept + all * most);  // [threads, 5, padded(most)]
  const Box* const boxes = reinterpret_cast<const Box*>(in.boxes);

  const auto workers = [threads](int64_t tasks) {  // a team of one costs nothing
    return static_cast<int>(std::clamp<int64_t>(tasks, 1, threads));
  };

#pragma omp parallel for schedule(dynamic) num_threads(workers(all))
  for (int64_t i = 0; i < all; ++i) {
    const int64_t image = i / lists.per_image, thread = omp_get_thread_num();
    const int list = static_cast<int>(i % lists.per_image);
    const Box* of_image = boxes + image * image_boxes;
    uint64_t* const mine = keys + thread * 2 * longest;
    const int64_t found =
        find_candidates(lists, list, of_image, in.scores + image * image_scores,
                        in.counts == nullptr ? lists.count : in.counts[image], p.score_threshold, mine);
    const auto candidates =
        best_keys({mine, static_cast<size_t>(found)}, limited(found, p.top_k), mine + longest);
    shown_counts[i] = suppress(lists, list, most, of_image, candidates, p,
                               {kept_boxes + thread * 5 * padded(most), padded(most)}, shown + i * most,
                               candidates_kept + i * most);
  }

#pragma omp parallel for schedule(static) num_threads(workers(in.n))
  for (int64_t image = 0; image < in.n; ++image) {
    const int64_t first = image * lists.per_image;
    uint64_t* const begin = shown + first * most;  // the lists, closed up
    uint64_t* end = begin;
    for (int64_t list = 0; list < lists.per_image; ++list)
      end = std::copy_n(begin + list * most, shown_counts[first + list], end);
    std::sort(begin, end);
    float* row = detections + image * rows * kDetectionRow;
    float* const behind = row + rows * kDetectionRow;
    counts[image] = static_cast<int32_t>(std::min<int64_t>(end - begin, rows));
    for (const uint64_t* key = begin; key != begin + counts[image]; ++key, row += kDetectionRow) {
      const int32_t place = rank_key_index(*key), candidate = candidates_kept[first * most + place];
      write_detection(boxes[image * image_boxes + lists.box(candidate)], rank_key_score(*key),
                      lists.label(static_cast<int>(place / most), candidate), p, row);
      if (kept != nullptr) kept[image * rows + (key - begin)] = candidate % lists.count;
    }
    if (kept != nullptr) std::fill(kept + image * rows + counts[image], kept + (image + 1) * rows, -1);
    for (int64_t column = 0; row != behind; column = (column + 1) % kDetectionRow) *row++ = nothing(column);
  }
}

}  // namespace tyto::kernels

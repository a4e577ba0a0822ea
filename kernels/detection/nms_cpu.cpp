#include <omp.h>

#include <algorithm>
#include <span>

#include "kernels/common/multiversion.h"
#include "kernels/common/rank_key.h"
#include "kernels/detection/nms.h"
#include "kernels/detection/nms_lists.h"
#include "kernels/detection/nms_math.h"

namespace tyto::kernels {
namespace {

constexpr int64_t kLanes = 16;  // kept boxes that a candidate is compared with side by side

constexpr int64_t padded(int64_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

// The boxes kept of a list, each coordinate by itself, so that one instruction compares with several.
struct KeptBoxes {
  float *x1, *y1, *x2, *y2, *area;
  int64_t count = 0;

  KeptBoxes(float* memory, int64_t capacity)
      : x1(memory), y1(x1 + capacity), x2(y1 + capacity), y2(x2 + capacity), area(y2 + capacity) {}

  // A vector's lanes behind the last box are boxes without area, far from all others.
  void append(const Box& b, float one) {
    if (count % kLanes == 0)
      for (float* values : {x1, y1, x2, y2, area})
        std::fill_n(values + count, kLanes, values == area ? 0.0f : std::numeric_limits<float>::max());
    x1[count] = b.x1;
    y1[count] = b.y1;
    x2[count] = b.x2;
    y2[count] = b.y2;
    area[count++] = kernels::area(b, one);
  }
  Box box(int64_t i) const { return {x1[i], y1[i], x2[i], y2[i]}; }
};

// The first of the vectors of kept boxes from `first` on in which one may suppress the candidate, or some
// number from the count on. Without a division: `shared / both` as a float is less than the threshold
// wherever shared < both * below, with `below` less than the threshold by more than both roundings; NaN,
// infinity and a union without area are never sure.
TYTO_MULTIVERSION int64_t next_suspects(const KeptBoxes& kept, int64_t first, const Box& c, float one,
                                        float below) {
  const float of_candidate = area(c, one);
  const float *x1 = kept.x1, *y1 = kept.y1, *x2 = kept.x2, *y2 = kept.y2, *areas = kept.area;
  for (; first < kept.count; first += kLanes) {
    int32_t unsure[kLanes];
    for (int64_t l = 0; l < kLanes; ++l) {
      const int64_t i = first + l;
      const float left = x1[i] < c.x1 ? c.x1 : x1[i], right = c.x2 < x2[i] ? c.x2 : x2[i];
      const float top = y1[i] < c.y1 ? c.y1 : y1[i], bottom = c.y2 < y2[i] ? c.y2 : y2[i];
      float width = right - left + one, height = bottom - top + one;
      width = 0.0f < width ? width : 0.0f;
      height = 0.0f < height ? height : 0.0f;
      const float shared = width * height;
      unsure[l] = shared < (areas[i] + of_candidate - shared) * below ? 0 : 1;
    }
    int32_t any = 0;
    for (int64_t l = 0; l < kLanes; ++l) any |= unsure[l];
    if (any != 0) break;
  }
  return first;
}

// Each candidate is compared with those kept before it alone: work in proportion to what is found.
bool is_suppressed(const KeptBoxes& kept, const Box& c, const Nms& p) {
  const float below = p.iou_threshold > 0 ? p.iou_threshold * (1 - 0x1p-20f) : -1.0f;
  for (int64_t first = 0;; first += kLanes) {
    first = next_suspects(kept, first, c, one_of(p), below);
    if (first >= kept.count) return false;
    for (int64_t i = first; i < std::min(first + kLanes, kept.count); ++i)
      if (suppresses(kept.box(i), c, p)) return true;
  }
}

// One list's candidates in order, the best top_k, as keys of score and number, to `keys`.
std::span<const uint64_t> best_candidates(const NmsLists& lists, int list, const Box* boxes,
                                          const float* scores, int boxes_there, const Nms& p,
                                          uint64_t* keys) {
  uint64_t* end = keys;
  const int first = lists.first(list), behind = first + lists.size(list);
  for (int i = first; i < behind; ++i)
    if (scores[i] > p.score_threshold && lists.is_there(i, boxes_there) && is_finite(boxes[lists.box(i)]))
      *end++ = rank_key(scores[i], i);
  uint64_t* const last = keys + limited(end - keys, p.top_k);
  if (last != end) std::nth_element(keys, last, end);
  std::sort(keys, last);
  return {keys, last};
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
  return bytes_of(all, sizeof(int64_t)) + bytes_of(all * most + threads * lists.longest, sizeof(uint64_t)) +
         bytes_of(all * most, sizeof(int32_t)) + bytes_of(threads * 5 * padded(most), sizeof(float));
}

void nms_cpu(const BoxScores& in, const Nms& p, int threads, void* workspace, float* detections,
             int32_t* counts) {
  const NmsLists lists = lists_of(p, in.classes, in.count, in.class_boxes);
  const int64_t all = in.n * lists.per_image, longest = lists.longest, most = most_kept(p, longest);
  const int64_t rows = detection_capacity(p, in.classes, in.count);
  const int64_t image_scores = in.classes * in.count;
  const int64_t image_boxes = in.class_boxes ? image_scores : in.count;
  int64_t* const shown_counts = static_cast<int64_t*>(workspace);           // [n, lists]
  auto* const shown = reinterpret_cast<uint64_t*>(shown_counts + all);      // [n, lists, most]
  uint64_t* const keys = shown + all * most;                                // [threads, longest]
  auto* const kept = reinterpret_cast<int32_t*>(keys + threads * longest);  // [n, lists, most]
  auto* const kept_boxes = reinterpret_cast<float*>(kept + all * most);     // [threads, 5, padded(most)]
  const Box* const boxes = reinterpret_cast<const Box*>(in.boxes);

#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (int64_t i = 0; i < all; ++i) {
    const int64_t image = i / lists.per_image, thread = omp_get_thread_num();
    const int list = static_cast<int>(i % lists.per_image);
    const Box* of_image = boxes + image * image_boxes;
    const auto candidates =
        best_candidates(lists, list, of_image, in.scores + image * image_scores,
                        in.counts == nullptr ? lists.count : in.counts[image], p, keys + thread * longest);
    shown_counts[i] =
        suppress(lists, list, most, of_image, candidates, p,
                 {kept_boxes + thread * 5 * padded(most), padded(most)}, shown + i * most, kept + i * most);
  }

#pragma omp parallel for schedule(static) num_threads(threads)
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
      const int32_t place = rank_key_index(*key), candidate = kept[first * most + place];
      write_detection(boxes[image * image_boxes + lists.box(candidate)], rank_key_score(*key),
                      lists.label(static_cast<int>(place / most), candidate), p, row);
    }
    for (int64_t column = 0; row != behind; column = (column + 1) % kDetectionRow) *row++ = nothing(column);
  }
}

}  // namespace tyto::kernels

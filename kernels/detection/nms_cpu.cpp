#include "kernels/detection/nms.h"

#include <omp.h>

#include <algorithm>
#include <span>

#include "kernels/detection/nms_math.h"

namespace tyto::kernels {
namespace {

struct Candidate {
  float score;
  int32_t label, box;
};

bool better(const Candidate& a, const Candidate& b) {
  if (a.score != b.score) return a.score > b.score;
  return a.label != b.label ? a.label < b.label : a.box < b.box;
}

// One image and class: its best candidates to the front of `found`, in order.
std::span<const Candidate> best_candidates(std::span<const Box> boxes, const float* scores, int32_t label,
                                           const Nms& p, Candidate* found) {
  Candidate* end = found;
  for (size_t i = 0; i < boxes.size(); ++i)
    if (scores[i] > p.score_threshold && is_finite(boxes[i]))
      *end++ = {scores[i], label, static_cast<int32_t>(i)};
  Candidate* last = found + limited(end - found, p.top_k);
  std::partial_sort(found, last, end, better);
  return {found, last};
}

// Each candidate is compared with those kept before it alone: work in proportion to what is found.
int64_t suppress(std::span<const Box> boxes, std::span<const Candidate> candidates, const Nms& p,
                 Candidate* kept) {
  int64_t count = 0;
  const int64_t most = limited(static_cast<int64_t>(candidates.size()), p.max_per_class);
  for (const Candidate& c : candidates) {
    if (count == most) break;
    const bool suppressed = std::any_of(kept, kept + count, [&](const Candidate& k) {
      return suppresses(boxes[static_cast<size_t>(k.box)], boxes[static_cast<size_t>(c.box)], p);
    });
    if (!suppressed) kept[count++] = c;
  }
  return count;
}

// One image's kept candidates, in order, as rows. Returns how many.
int32_t write_rows(std::span<const Box> boxes, std::span<const Candidate> kept, const Nms& p, int64_t rows,
                   float* row) {
  const float* const end = row + rows * kDetectionRow;
  int32_t written = 0;
  for (const Candidate& c : kept) {
    if (row == end) break;
    const Box& box = boxes[static_cast<size_t>(c.box)];
    if (!is_shown(box, p)) continue;
    write_detection(box, c.score, c.label, p, row);
    row += kDetectionRow;
    ++written;
  }
  for (int64_t column = 0; row != end; column = (column + 1) % kDetectionRow) *row++ = nothing(column);
  return written;
}

}  // namespace

int64_t detection_capacity(const Nms& p, int64_t classes, int64_t count) {
  return limited(classes * most_per_class(p, count), p.max_detections);
}

int64_t nms_workspace(const Nms& p, int64_t n, int64_t classes, int64_t count, int threads) {
  const int64_t lists = n * classes;
  return lists * static_cast<int64_t>(sizeof(int64_t)) +
         (lists * most_per_class(p, count) + threads * count) * static_cast<int64_t>(sizeof(Candidate));
}

void nms_cpu(const float* boxes, const float* scores, int64_t n, int64_t classes, int64_t count, const Nms& p,
             int threads, void* workspace, float* detections, int32_t* counts) {
  const int64_t most = most_per_class(p, count), rows = detection_capacity(p, classes, count);
  int64_t* const kept_counts = static_cast<int64_t*>(workspace);               // [n, classes]
  auto* const kept = reinterpret_cast<Candidate*>(kept_counts + n * classes);  // [n, classes, most]
  Candidate* const found = kept + n * classes * most;                          // [threads, count]
  const auto boxes_of = [&](int64_t image) {
    return std::span(reinterpret_cast<const Box*>(boxes) + image * count, static_cast<size_t>(count));
  };

#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (int64_t list = 0; list < n * classes; ++list) {
    const auto candidates =
        best_candidates(boxes_of(list / classes), scores + list * count,
                        static_cast<int32_t>(list % classes) + 1, p, found + omp_get_thread_num() * count);
    kept_counts[list] = suppress(boxes_of(list / classes), candidates, p, kept + list * most);
  }

#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t image = 0; image < n; ++image) {
    Candidate* const all = kept + image * classes * most;  // the classes' lists, closed up
    Candidate* end = all;
    for (int64_t c = 0; c < classes; ++c)
      end = std::copy_n(all + c * most, kept_counts[image * classes + c], end);
    std::sort(all, end, better);
    counts[image] =
        write_rows(boxes_of(image), {all, end}, p, rows, detections + image * rows * kDetectionRow);
  }
}

}  // namespace tyto::kernels

// Selection and suppression: SSD300's detections, and proposals with the overlap of a real network's.
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "bench/kernels/kernel_case.h"
#include "bench/rpn_boxes.h"
#include "kernels/detection/iou.h"
#include "kernels/detection/nms.h"

namespace tyto::bench {
namespace {

using namespace kernels;

constexpr double kFloat = sizeof(float);

// What greedy suppression needs: each box is compared with the better ones that stay until one suppresses it,
// and none once `most` stay.
double overlaps_needed(const float* rows, const std::vector<int64_t>& order, float threshold, size_t most) {
  std::vector<Box> kept;
  double overlaps = 0;
  for (const int64_t i : order) {
    if (kept.size() == most) break;
    const Box box{rows[i * 4], rows[i * 4 + 1], rows[i * 4 + 2], rows[i * 4 + 3]};
    const auto suppressor =
        std::find_if(kept.begin(), kept.end(), [&](const Box& k) { return iou(k, box) > threshold; });
    overlaps += static_cast<double>(suppressor - kept.begin());
    if (suppressor == kept.end())
      kept.push_back(box);
    else
      ++overlaps;
  }
  return overlaps;
}

constexpr double kOverlapOperations =
    14;  // 4 comparisons, 2 sides, 2 clamped, 3 products, 2 sums, a quotient

// Operations of nms() on one image: a comparison a score, the candidates sorted, and the overlaps.
double operations_of(const Nms& p, const std::vector<float>& boxes, const std::vector<float>& scores,
                     int64_t classes) {
  const auto count = static_cast<int64_t>(boxes.size() / 4);
  const size_t most = p.max_per_class > 0 ? static_cast<size_t>(p.max_per_class) : scores.size();
  auto operations = static_cast<double>(scores.size());
  for (int64_t c = 0; c < classes; ++c) {
    const float* of_class = scores.data() + c * count;
    std::vector<int64_t> order;
    for (int64_t i = 0; i < count; ++i)
      if (of_class[i] > p.score_threshold) order.push_back(i);
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t i, int64_t j) { return of_class[i] > of_class[j]; });
    const auto candidates = static_cast<double>(order.size());
    operations += candidates * std::log2(std::max(candidates, 1.0));
    if (p.top_k > 0 && static_cast<size_t>(p.top_k) < order.size())
      order.resize(static_cast<size_t>(p.top_k));
    operations += kOverlapOperations * overlaps_needed(boxes.data(), order, p.iou_threshold, most);
  }
  return operations;
}

// Of one image. `boxes` and `scores` are the arrays' values, from which the operations are counted.
Work suppress(Arrays& a, const Nms& p, const std::vector<float>& boxes, const std::vector<float>& scores,
              int64_t classes) {
  const auto count = static_cast<int64_t>(boxes.size() / 4);
  const float* all_boxes = a.input("boxes", {1, count, 4}, boxes);
  const float* all_scores = a.input("scores", {1, classes, count}, scores);
  const int64_t capacity = detection_capacity(p, classes, count);
  float* rows = a.output<float>("detections", {1, capacity, kDetectionRow});
  int32_t* found = a.output<int32_t>("counts", {1});
  const int threads = omp_get_max_threads();
  int64_t bytes = nms_workspace(p, 1, classes, count, threads);
  if constexpr (kHasCuda) bytes = std::max(bytes, nms_workspace_cuda(p, 1, classes, count));
  void* workspace = a.scratch(bytes);
  Work work;
  work.bytes = kFloat * static_cast<double>(count * (4 + classes) + capacity * kDetectionRow);
  work.operations = operations_of(p, boxes, scores, classes);
  const BoxScores in = {.boxes = all_boxes, .scores = all_scores, .n = 1, .classes = classes, .count = count};
  work.cpu = [=] { nms_cpu(in, p, threads, workspace, rows, found); };
  if constexpr (kHasCuda) work.cuda = [=](Stream s) { nms(in, p, workspace, rows, found, s); };
  return work;
}

// One in `rarity` of the scores lies above the threshold.
Work select(Arrays& a, int64_t classes, float rarity) {
  constexpr int64_t kAnchors = 8732;
  std::vector<float> boxes = numbers(kAnchors * 4);
  for (size_t i = 0; i < boxes.size(); i += 4) {  // a tenth to a half of the image wide and high
    boxes[i + 2] = boxes[i] + 0.1f + 0.4f * boxes[i + 2];
    boxes[i + 3] = boxes[i + 1] + 0.1f + 0.4f * boxes[i + 3];
  }
  const Nms p = {.score_threshold = 1 - 1 / rarity, .top_k = 200, .max_detections = 200};
  return suppress(a, p, boxes, numbers(kAnchors * classes), classes);
}

// simple-faster-rcnn-pytorch's; `kept` 0: all that suppression leaves.
Work proposals(Arrays& a, int64_t candidates, int kept) {
  const BestBoxes best = best_of(rpn_boxes(), candidates);
  const Nms p = {.score_threshold = -std::numeric_limits<float>::infinity(),
                 .iou_threshold = 0.7f,
                 .max_per_class = kept};
  return suppress(a, p, best.boxes, best.scores, 1);
}

}  // namespace

void add_nms_cases(Cases& cases) {
  cases.push_back({"nms/20_classes_1_in_1000", [](Arrays& a) { return select(a, 20, 1000); }});
  cases.push_back({"nms/20_classes_1_in_40", [](Arrays& a) { return select(a, 20, 40); }});
  cases.push_back({"nms/90_classes_1_in_1000", [](Arrays& a) { return select(a, 90, 1000); }});
  cases.push_back({"nms/90_classes_1_in_40", [](Arrays& a) { return select(a, 90, 40); }});
  cases.push_back({"nms/rpn_6000_to_300", [](Arrays& a) { return proposals(a, 6000, 300); }});
  cases.push_back({"nms/rpn_6000_to_all", [](Arrays& a) { return proposals(a, 6000, 0); }});
  cases.push_back({"nms/rpn_12000_to_2000", [](Arrays& a) { return proposals(a, 12000, 2000); }});
}

}  // namespace tyto::bench

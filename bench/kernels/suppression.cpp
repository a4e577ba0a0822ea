#include "bench/kernels/suppression.h"

#include <omp.h>

#include <algorithm>
#include <cmath>

#include "kernels/detection/iou.h"

namespace tyto::bench {
namespace {

using namespace kernels;

// 4 comparisons, 2 sides, 2 of them clamped, 3 products, 2 sums, a quotient.
constexpr double kOverlapOperations = 14;

// What greedy suppression of boxes, the best first, needs: each is compared with the better ones that stay
// until one suppresses it, and none once `most` stay.
double overlaps_needed(const std::vector<Box>& boxes, float threshold, size_t most) {
  std::vector<Box> kept;
  double overlaps = 0;
  for (const Box& box : boxes) {
    if (kept.size() == most) break;
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

// A comparison a score, the candidates of each class sorted, and the overlaps.
double operations_of(const Nms& p, const std::vector<float>& boxes, const std::vector<float>& scores,
                     const BoxScores& in) {
  const size_t best = p.top_k > 0 ? static_cast<size_t>(p.top_k) : scores.size();
  const size_t most = p.max_per_class > 0 ? static_cast<size_t>(p.max_per_class) : scores.size();
  auto operations = static_cast<double>(scores.size());
  for (int64_t c = 0; c < in.classes; ++c) {
    const float* of_class = scores.data() + c * in.count;
    std::vector<int64_t> order;
    for (int64_t i = 0; i < in.count; ++i)
      if (of_class[i] > p.score_threshold) order.push_back(i);
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t i, int64_t j) { return of_class[i] > of_class[j]; });
    const auto candidates = static_cast<double>(order.size());
    operations += candidates * std::log2(std::max(candidates, 1.0));
    order.resize(std::min(order.size(), best));
    std::vector<Box> sorted;
    for (const int64_t i : order) {
      const float* box = boxes.data() + 4 * (in.class_boxes ? i * in.classes + c : i);
      sorted.push_back({box[0], box[1], box[2], box[3]});
    }
    operations += kOverlapOperations * overlaps_needed(sorted, p.iou_threshold, most);
  }
  return operations;
}

}  // namespace

Work suppression_of(Arrays& a, const Nms& p, const std::vector<float>& boxes,
                    const std::vector<float>& scores, const BoxScores& in) {
  const int64_t capacity = detection_capacity(p, in.classes, in.count);
  float* rows = a.output<float>("detections", {1, capacity, kDetectionRow});
  int32_t* found = a.output<int32_t>("counts", {1});
  const int threads = omp_get_max_threads();
  int64_t workspace_bytes = nms_workspace(p, 1, in.classes, in.count, threads);
  if constexpr (kHasCuda)
    workspace_bytes = std::max(workspace_bytes, nms_workspace_cuda(p, 1, in.classes, in.count));
  void* workspace = a.scratch(workspace_bytes);
  Work work;
  work.bytes = sizeof(float) * (static_cast<double>(boxes.size() + scores.size()) +
                                static_cast<double>(capacity * kDetectionRow));
  work.operations = operations_of(p, boxes, scores, in);
  work.cpu = [=] { nms_cpu(in, p, threads, workspace, rows, found); };
  if constexpr (kHasCuda) work.cuda = [=](Stream s) { nms(in, p, workspace, rows, found, s); };
  return work;
}

Work suppression(Arrays& a, const Nms& p, const std::vector<float>& boxes, const std::vector<float>& scores,
                 BoxScores in) {
  const int64_t boxes_of_one = in.class_boxes ? in.classes : 1;
  in.boxes = a.input("boxes", {1, in.count, boxes_of_one, 4}, boxes);
  in.scores = a.input("scores", {1, in.classes, in.count}, scores);
  return suppression_of(a, p, boxes, scores, in);
}

}  // namespace tyto::bench

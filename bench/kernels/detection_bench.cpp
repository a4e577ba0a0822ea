// Post-processing of single-shot detectors, at the size of SSD300 on VOC and COCO.
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "bench/kernels/kernel_case.h"
#include "kernels/detection/class_scores.h"
#include "kernels/detection/concat_maps.h"
#include "kernels/detection/decode_boxes.h"
#include "kernels/detection/iou.h"
#include "kernels/detection/nms.h"

namespace tyto::bench {
namespace {

using namespace kernels;

constexpr int64_t kAnchors = 8732;
constexpr double kFloat = sizeof(float);

Work scores(Arrays& a, int64_t classes) {
  const float* logits = a.input("logits", {1, kAnchors, classes}, numbers(kAnchors * classes));
  float* out = a.output<float>("scores", {1, classes - 1, kAnchors});
  Work work;
  work.bytes = kFloat * kAnchors * static_cast<double>(2 * classes - 1);
  work.operations = 5.0 * kAnchors * static_cast<double>(classes);  // largest, difference, e^x, sum, quotient
  work.cpu = [=] { class_scores_cpu(logits, 1, kAnchors, classes, {}, out); };
  if constexpr (kHasCuda)
    work.cuda = [=](Stream s) { class_scores(logits, 1, kAnchors, classes, {}, out, s); };
  return work;
}

Work decode(Arrays& a) {
  const float* offsets = a.input("offsets", {1, kAnchors, 4}, numbers(kAnchors * 4));
  const float* anchors = a.input("anchors", {kAnchors, 4}, numbers(kAnchors * 4));
  float* boxes = a.output<float>("boxes", {1, kAnchors, 4});
  Work work;
  work.bytes = kFloat * kAnchors * 12;
  work.operations =
      20.0 * kAnchors;  // an axis: 3 of the exponential, 3 of the centre, 1 of the size, 3 of corners
  work.cpu = [=] { decode_boxes_cpu(offsets, anchors, 1, kAnchors, {}, boxes); };
  if constexpr (kHasCuda)
    work.cuda = [=](Stream s) { decode_boxes(offsets, anchors, 1, kAnchors, {}, boxes, s); };
  return work;
}

// SSD300's six maps of logits.
Work joined(Arrays& a) {
  constexpr int64_t kClasses = 21, kCells[] = {38, 19, 10, 5, 3, 1}, kPerCell[] = {4, 6, 6, 6, 4, 4};
  std::vector<ChannelBlocks<const float>> blocks;
  std::vector<Nhwc<const float>> maps;
  for (int k = 0; k < 6; ++k) {
    const Shape shape = {1, kPerCell[k] * kClasses, kCells[k], kCells[k]};
    const auto map = a.input_map("map" + std::to_string(k), shape, numbers(shape.elements()));
    blocks.push_back(map.blocks);
    maps.push_back(map.nhwc);
  }
  float* rows = a.output<float>("rows", {1, kAnchors, kClasses});
  Work work;
  work.bytes = 2 * kFloat * kAnchors * kClasses;
  work.cpu = [=] { concat_maps_cpu(blocks, rows); };
  if constexpr (kHasCuda) work.cuda = [=](Stream s) { concat_maps<float>(maps, rows, s); };
  return work;
}

// What greedy suppression of `count` boxes needs: each is compared with the better ones that stay until one
// suppresses it.
double overlaps_needed(const float* rows, const std::vector<int64_t>& order, float threshold) {
  std::vector<Box> kept;
  double overlaps = 0;
  for (const int64_t i : order) {
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
    operations += kOverlapOperations * overlaps_needed(boxes.data(), order, p.iou_threshold);
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
  work.cpu = [=] { nms_cpu(all_boxes, all_scores, 1, classes, count, p, threads, workspace, rows, found); };
  if constexpr (kHasCuda)
    work.cuda = [=](Stream s) {
      nms(all_boxes, all_scores, 1, classes, count, p, workspace, rows, found, s);
    };
  return work;
}

// One in `rarity` of the scores lies above the threshold.
Work select(Arrays& a, int64_t classes, float rarity) {
  std::vector<float> boxes = numbers(kAnchors * 4);
  for (size_t i = 0; i < boxes.size(); i += 4) {  // a tenth to a half of the image wide and high
    boxes[i + 2] = boxes[i] + 0.1f + 0.4f * boxes[i + 2];
    boxes[i + 3] = boxes[i + 1] + 0.1f + 0.4f * boxes[i + 3];
  }
  const Nms p = {.score_threshold = 1 - 1 / rarity, .top_k = 200, .max_detections = 200};
  return suppress(a, p, boxes, numbers(kAnchors * classes), classes);
}

}  // namespace

void add_detection_cases(Cases& cases) {
  cases.push_back({"class_scores/8732x21", [](Arrays& a) { return scores(a, 21); }});
  cases.push_back({"class_scores/8732x91", [](Arrays& a) { return scores(a, 91); }});
  cases.push_back({"concat_maps/8732x21", joined});
  cases.push_back({"decode_boxes/8732", decode});
  cases.push_back({"nms/20_classes_1_in_1000", [](Arrays& a) { return select(a, 20, 1000); }});
  cases.push_back({"nms/20_classes_1_in_40", [](Arrays& a) { return select(a, 20, 40); }});
  cases.push_back({"nms/90_classes_1_in_1000", [](Arrays& a) { return select(a, 90, 1000); }});
  cases.push_back({"nms/90_classes_1_in_40", [](Arrays& a) { return select(a, 90, 40); }});
}

}  // namespace tyto::bench

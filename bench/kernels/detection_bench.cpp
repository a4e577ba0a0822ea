// From a single-shot detector's maps to scores and boxes, at the size of SSD300 on VOC and COCO.
#include "bench/kernels/kernel_case.h"
#include "kernels/detection/class_scores.h"
#include "kernels/detection/concat_maps.h"
#include "kernels/detection/decode_boxes.h"

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

}  // namespace

void add_detection_cases(Cases& cases) {
  cases.push_back({"class_scores/8732x21", [](Arrays& a) { return scores(a, 21); }});
  cases.push_back({"class_scores/8732x91", [](Arrays& a) { return scores(a, 91); }});
  cases.push_back({"concat_maps/8732x21", joined});
  cases.push_back({"decode_boxes/8732", decode});
}

}  // namespace tyto::bench

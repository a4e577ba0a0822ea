// Selection and suppression: SSD300's detections, and proposals with the overlap of a real network's.
#include <cmath>
#include <limits>

#include "bench/kernels/suppression.h"
#include "bench/rpn_boxes.h"

namespace tyto::bench {
namespace {

using namespace kernels;

// One in `rarity` of the scores lies above the threshold.
Work select(Arrays& a, int64_t classes, float rarity) {
  constexpr int64_t kAnchors = 8732;
  std::vector<float> boxes = numbers(kAnchors * 4);
  for (size_t i = 0; i < boxes.size(); i += 4) {  // a tenth to a half of the image wide and high
    boxes[i + 2] = boxes[i] + 0.1f + 0.4f * boxes[i + 2];
    boxes[i + 3] = boxes[i + 1] + 0.1f + 0.4f * boxes[i + 3];
  }
  const Nms p = {.score_threshold = 1 - 1 / rarity, .top_k = 200, .max_detections = 200};
  return suppression(a, p, boxes, numbers(kAnchors * classes),
                     {.n = 1, .classes = classes, .count = kAnchors});
}

// simple-faster-rcnn-pytorch's; `kept` 0: all that suppression leaves.
Work proposals(Arrays& a, int64_t candidates, int kept) {
  const BestBoxes best = best_of(rpn_boxes(), candidates);
  const Nms p = {.score_threshold = -std::numeric_limits<float>::infinity(),
                 .iou_threshold = 0.7f,
                 .max_per_class = kept};
  return suppression(a, p, best.boxes, best.scores, {.n = 1, .classes = 1, .count = candidates});
}

// The last step of simple-faster-rcnn-pytorch: a box a class of each of 300 regions, most of which are
// nothing.
Work regions(Arrays& a) {
  constexpr int64_t kRois = 300, kClasses = 20;
  const std::vector<float> rois = rpn_proposals(kRois), moves = numbers(kRois * kClasses);
  std::vector<float> boxes, scores(static_cast<size_t>(kRois * kClasses));
  for (int64_t r = 0; r < kRois; ++r)
    for (int64_t c = 0; c < kClasses; ++c) {
      const auto at = static_cast<size_t>(r * kClasses + c);
      for (size_t i = 0; i < 4; ++i) boxes.push_back(rois[static_cast<size_t>(r) * 4 + i] + 8 * moves[at]);
      scores[static_cast<size_t>(c * kRois + r)] = std::pow(moves[at], 30.0f);  // a tenth is above 0.05
    }
  const Nms p = {.score_threshold = 0.05f, .iou_threshold = 0.3f};
  return suppression(a, p, boxes, scores, {.n = 1, .classes = kClasses, .count = kRois, .class_boxes = true});
}

}  // namespace

void add_nms_cases(Cases& cases) {
  cases.push_back({"nms/20_classes_1_in_1000", [](Arrays& a) { return select(a, 20, 1000); }});
  cases.push_back({"nms/20_classes_1_in_40", [](Arrays& a) { return select(a, 20, 40); }});
  cases.push_back({"nms/90_classes_1_in_1000", [](Arrays& a) { return select(a, 90, 1000); }});
  cases.push_back({"nms/90_classes_1_in_40", [](Arrays& a) { return select(a, 90, 40); }});
  cases.push_back({"nms/regions_300x20", regions});
  cases.push_back({"nms/rpn_6000_to_300", [](Arrays& a) { return proposals(a, 6000, 300); }});
  cases.push_back({"nms/rpn_6000_to_all", [](Arrays& a) { return proposals(a, 6000, 0); }});
  cases.push_back({"nms/rpn_12000_to_2000", [](Arrays& a) { return proposals(a, 12000, 2000); }});
}

}  // namespace tyto::bench

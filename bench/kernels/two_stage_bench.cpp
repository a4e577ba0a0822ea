// The boxes of two-stage detectors: simple-faster-rcnn-pytorch's on a picture of 600 x 1000.
#include <limits>

#include "bench/kernels/suppression.h"
#include "bench/rpn_boxes.h"
#include "kernels/detection/anchor_grid.h"
#include "kernels/detection/decode_proposals.h"
#include "kernels/detection/decode_rois.h"
#include "kernels/detection/encode_boxes.h"
#include "kernels/detection/pairwise_iou.h"

namespace tyto::bench {
namespace {

using namespace kernels;

constexpr double kFloat = sizeof(float);
// An axis of a box: the anchor's size and centre 3, the centre 2, the size 2, corners 3, clipped 4.
constexpr double kBoxOperations = 2 * 14;

AnchorGrid grid() {
  AnchorGrid grid;
  grid.count = 1;
  AnchorLevel& level = grid.levels[0];
  level.rows = RpnBoxes::kRows;
  level.columns = RpnBoxes::kColumns;
  level.stride_y = level.stride_x = 16;
  centred_anchors(16, {0.5, 1, 2}, {8, 16, 32}, level);
  return grid;
}

// Height and width of the resized picture, then of the original.
const float* sizes(Arrays& a) {
  return a.input("sizes", {1, kSizesRow}, std::vector<float>{RpnBoxes::kHeight, RpnBoxes::kWidth, 300, 500});
}

Work anchors(Arrays& a) {
  const AnchorGrid g = grid();
  float* out = a.output<float>("anchors", {g.anchors(), 4});
  Work work;
  work.bytes = kFloat * 4 * static_cast<double>(g.anchors());
  work.operations = 4 * static_cast<double>(g.anchors());
  work.cpu = [=] { anchor_grid_cpu(g, out); };
  if constexpr (kHasCuda) work.cuda = [=](Stream s) { anchor_grid(g, out, s); };
  return work;
}

// What the network's maps decode to, and how.
struct Decoded {
  float *boxes, *scores;
  Work work;
};

Decoded decode(Arrays& a) {
  const RpnBoxes rpn = rpn_boxes();
  constexpr int64_t kCount = RpnBoxes::kCount;
  const DecodeProposals p = {.coding = {.y_first = true}, .grid = grid(), .min_size = 16};
  const float* offsets = a.input("offsets", {1, kCount, 4}, rpn.offsets);
  const float* logits = a.input("logits", {1, kCount, 2}, rpn.logits);
  const float* of_image = sizes(a);
  a.input("anchors", {kCount, 4}, rpn.anchors);  // for others, who do not make them as they go
  float* boxes = a.output<float>("boxes", {1, kCount, 4});
  float* scores = a.output<float>("scores", {1, kCount});
  Work work;
  work.bytes = kFloat * kCount * (4 + 2 + 4 + 1);
  work.operations = kCount * (kBoxOperations + 4 + 1);  // two sides compared, a score
  work.cpu = [=] { decode_proposals_cpu(offsets, logits, of_image, 1, 2, p, boxes, scores); };
  if constexpr (kHasCuda)
    work.cuda = [=](Stream s) { decode_proposals(offsets, logits, of_image, 1, 2, p, boxes, scores, s); };
  return {boxes, scores, work};
}

// What proposals cost a picture: maps decoded, small boxes left out, the best 6,000 suppressed to `kept`. Of
// one that is kept the cost is that of decoding and choosing.
Work proposed(Arrays& a, int kept) {
  const Decoded decoded = decode(a);
  const RpnBoxes rpn = rpn_boxes();
  const Nms p = {.score_threshold = -std::numeric_limits<float>::infinity(),
                 .top_k = 6000,
                 .iou_threshold = 0.7f,
                 .max_per_class = kept};
  const BoxScores in = {
      .boxes = decoded.boxes, .scores = decoded.scores, .n = 1, .classes = 1, .count = RpnBoxes::kCount};
  const Work suppressed = suppression_of(a, p, rpn.boxes, rpn.scores, in);
  Work work;
  // Boxes and scores stay between the two, and need not be moved twice.
  work.bytes = decoded.work.bytes + kFloat * kept * kDetectionRow;
  work.operations = decoded.work.operations + suppressed.operations;
  work.cpu = [=] {
    decoded.work.cpu();
    suppressed.cpu();
  };
  if constexpr (kHasCuda)
    work.cuda = [=](Stream s) {
      decoded.work.cuda(s);
      suppressed.cuda(s);
    };
  return work;
}

Work decoded_rois(Arrays& a) {
  constexpr int64_t kRois = 300, kClasses = 21;
  const DecodeRois p = {.coding = {.variance = {0.1f, 0.1f, 0.2f, 0.2f}, .y_first = true}, .one_scale = true};
  std::vector<float> values = numbers(kRois * kClasses * 4);
  for (float& v : values) v = 4 * v - 2;
  const float* offsets = a.input("offsets", {1, kRois, kClasses, 4}, values);
  const Rois rois = {.rows = a.input("rois", {1, kRois, 4}, rpn_proposals(kRois)), .n = 1, .capacity = kRois};
  const float* of_image = sizes(a);
  float* boxes = a.output<float>("boxes", {1, kRois, kClasses - 1, 4});
  Work work;
  work.bytes = kFloat * kRois * 4 * (2 * (kClasses - 1) + 1);
  work.operations = kBoxOperations * kRois * (kClasses - 1);
  work.cpu = [=] { decode_rois_cpu(offsets, rois, of_image, kClasses, p, boxes); };
  if constexpr (kHasCuda)
    work.cuda = [=](Stream s) { decode_rois(offsets, rois, of_image, kClasses, p, boxes, s); };
  return work;
}

// For training: every anchor becomes what it would be decoded to.
Work encoded(Arrays& a) {
  const RpnBoxes rpn = rpn_boxes();
  constexpr int64_t kCount = RpnBoxes::kCount;
  const float* anchors = a.input("anchors", {kCount, 4}, rpn.anchors);
  const float* targets = a.input("targets", {kCount, 4}, rpn.boxes);
  float* offsets = a.output<float>("offsets", {kCount, 4});
  Work work;
  work.bytes = kFloat * kCount * 12;
  // An axis: size and centre of both boxes 3 each, a difference, three quotients, a maximum, a logarithm.
  work.operations = kCount * 2 * 12;
  work.cpu = [=] { encode_boxes_cpu(anchors, targets, kCount, {}, offsets); };
  if constexpr (kHasCuda)
    work.cuda = [=](Stream s) { encode_boxes(anchors, targets, kCount, {}, offsets, s); };
  return work;
}

Work compared(Arrays& a) {
  constexpr int64_t kCount = RpnBoxes::kCount, kObjects = 20;
  const float* anchors = a.input("anchors", {kCount, 4}, rpn_boxes().anchors);
  const float* objects = a.input("objects", {kObjects, 4}, rpn_proposals(kObjects));
  float* ious = a.output<float>("ious", {kCount, kObjects});
  Work work;
  work.bytes = kFloat * (kCount * 4 + kObjects * 4 + kCount * kObjects);
  // Of a pair 4 comparisons, 2 sides, 2 clamped, a product, 2 sums, a quotient; of a box its area.
  work.operations = 12 * kCount * kObjects + 3 * (kCount + kObjects);
  work.cpu = [=] { pairwise_iou_cpu(anchors, kCount, objects, kObjects, ious); };
  if constexpr (kHasCuda)
    work.cuda = [=](Stream s) { pairwise_iou(anchors, kCount, objects, kObjects, ious, s); };
  return work;
}

}  // namespace

void add_two_stage_cases(Cases& cases) {
  cases.push_back({"anchor_grid/37x62x9", anchors});
  cases.push_back({"decode_proposals/20646", [](Arrays& a) { return decode(a).work; }});
  cases.push_back({"proposals/20646_to_6000", [](Arrays& a) { return proposed(a, 1); }});
  cases.push_back({"proposals/20646_to_300", [](Arrays& a) { return proposed(a, 300); }});
  cases.push_back({"decode_rois/300x21", decoded_rois});
  cases.push_back({"encode_boxes/20646", encoded});
  cases.push_back({"pairwise_iou/20646x20", compared});
}

}  // namespace tyto::bench

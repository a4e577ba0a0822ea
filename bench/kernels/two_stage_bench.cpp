// The boxes of two-stage detectors: simple-faster-rcnn-pytorch's on a picture of 600 x 1000.
#include "bench/kernels/kernel_case.h"
#include "bench/rpn_boxes.h"
#include "kernels/detection/anchor_grid.h"
#include "kernels/detection/decode_proposals.h"
#include "kernels/detection/decode_rois.h"

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

Work decoded_proposals(Arrays& a) {
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
  return work;
}

Work decoded_rois(Arrays& a) {
  constexpr int64_t kRois = 300, kClasses = 21;
  const DecodeRois p = {.coding = {.variance = {0.1f, 0.1f, 0.2f, 0.2f}, .y_first = true}, .one_scale = true};
  std::vector<float> values = numbers(kRois * kClasses * 4);
  for (float& v : values) v = 4 * v - 2;
  const float* offsets = a.input("offsets", {1, kRois, kClasses, 4}, values);
  const Rois rois = {
      .rows = a.input("rois", {1, kRois, 4}, best_of(rpn_boxes(), kRois).boxes), .n = 1, .capacity = kRois};
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

}  // namespace

void add_two_stage_cases(Cases& cases) {
  cases.push_back({"anchor_grid/37x62x9", anchors});
  cases.push_back({"decode_proposals/20646", decoded_proposals});
  cases.push_back({"decode_rois/300x21", decoded_rois});
}

}  // namespace tyto::bench

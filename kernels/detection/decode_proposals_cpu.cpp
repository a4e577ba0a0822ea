#include <algorithm>

#include "kernels/detection/anchor_grid_math.h"
#include "kernels/detection/box_group_cpu.h"
#include "kernels/detection/decode_proposals_math.h"

namespace tyto::kernels {
namespace {

// `members` anchors from `first` on; the others of the group are zero.
void make_anchors(const AnchorGrid& grid, int64_t first, int64_t members, GroupRows& anchors) {
  AnchorPlace place = anchor_place(grid, static_cast<unsigned>(first));
  for (int64_t i = 0; i < members; ++i, advance(grid, place)) write(anchor_at(grid, place), anchors + 4 * i);
  std::fill(anchors + 4 * members, anchors + 4 * kBoxGroup, 0.0f);
}

}  // namespace

void decode_proposals_cpu(const float* offsets, const float* logits, const float* sizes, int64_t n,
                          int values, const DecodeProposals& params, float* boxes, float* scores) {
  const int64_t count = params.grid.anchors();
  const int64_t groups = (count + kBoxGroup - 1) / kBoxGroup;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t image = 0; image < n; ++image)
    for (int64_t g = 0; g < groups; ++g) {
      const float* row = sizes + image * kSizesRow;
      const ImageSizes size = {row[0], row[1], row[2], row[3]};
      const int64_t first = g * kBoxGroup, members = std::min(kBoxGroup, count - first);
      const int64_t at = image * count + first;
      GroupRows anchors, whole, decoded;
      make_anchors(params.grid, first, members, anchors);
      decode_from_corners(whole_group(offsets + 4 * at, members, whole), anchors, params.coding, decoded);
      clip_boxes(size.width, size.height, decoded);
      std::copy_n(decoded, 4 * members, boxes + 4 * at);
      const float smallest = smallest_side(size, params);
      for (int64_t i = 0; i < members; ++i) {
        const float *box = decoded + 4 * i, *logit = logits + values * (at + i);
        scores[at + i] = proposal_score({box[0], box[1], box[2], box[3]},
                                        values == 2 ? logit[1] - logit[0] : logit[0], smallest);
      }
    }
}

}  // namespace tyto::kernels

// From the region proposal network's maps to scored boxes. A thread a box, its anchor made of the cell's in
// the kernel's parameters: 16 bytes of offsets and 4 or 8 of logits read, 20 written; two exponentials and
// three integer divisions, some 150 instructions a box: 20,646 boxes are 0.9 MB and less than 2 us of an
// A100.
#include "kernels/detection/decode_proposals.h"

#include "kernels/common/launch.h"
#include "kernels/detection/anchor_grid_math.h"
#include "kernels/detection/boxes.cuh"
#include "kernels/detection/decode_proposals_math.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256;

template <int Values>
__global__ void __launch_bounds__(kBlock)
    decode_proposals_kernel(const float* __restrict__ offsets, const float* __restrict__ logits,
                            const float* __restrict__ sizes, unsigned total, unsigned count,
                            const __grid_constant__ DecodeProposals params, float* __restrict__ boxes,
                            float* __restrict__ scores) {
  const unsigned i = blockIdx.x * kBlock + threadIdx.x;
  if (i >= total) return;
  const unsigned image = i / count;
  const ImageSizes size = load_sizes(sizes, image);
  float offset[4], logit[Values];
  load(offsets + int64_t{4} * i, offset);
  load(logits + int64_t{Values} * i, logit);
  const Box anchor = anchor_at(params.grid, anchor_place(params.grid, i - image * count));
  const Box box = clipped(decode(in_order({offset[0], offset[1], offset[2], offset[3]}, params.coding),
                                 centred(anchor), params.coding),
                          size.width, size.height);
  store(box, boxes + int64_t{4} * i);
  const float score = Values == 2 ? logit[Values - 1] - logit[0] : logit[0];
  scores[i] = proposal_score(box, score, smallest_side(size, params));
}

}  // namespace

void decode_proposals(const float* offsets, const float* logits, const float* sizes, int64_t n, int values,
                      const DecodeProposals& params, float* boxes, float* scores, Stream stream) {
  const int64_t count = params.grid.anchors();
  const auto total = static_cast<unsigned>(checked_int(n * count, "a batch's anchors"));
  const LaunchConfig config = {.grid = blocks_for(total, kBlock), .block = kBlock, .stream = stream};
  const auto anchors = static_cast<unsigned>(count);
  if (values == 2)
    launch<decode_proposals_kernel<2>>(config, offsets, logits, sizes, total, anchors, params, boxes, scores);
  else
    launch<decode_proposals_kernel<1>>(config, offsets, logits, sizes, total, anchors, params, boxes, scores);
}

}  // namespace tyto::kernels

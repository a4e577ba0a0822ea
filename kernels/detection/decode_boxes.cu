// From offsets to corners. A thread a box: 32 bytes read, 16 written, the anchors shared by the batch's
// images and so mostly in the cache. Two exponentials of some twenty instructions a box: bound by memory.
#include "kernels/detection/decode_boxes.h"

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/detection/boxes.cuh"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256;

__global__ void __launch_bounds__(kBlock)
    decode_boxes_kernel(const float* __restrict__ offsets, const float* __restrict__ anchors, unsigned total,
                        unsigned count, DecodeBoxes params, float* __restrict__ boxes) {
  const unsigned i = blockIdx.x * kBlock + threadIdx.x;
  if (i >= total) return;
  float offset[4], anchor[4];
  load(offsets + int64_t{4} * i, offset);
  load(anchors + int64_t{4} * (i % count), anchor);
  const Box box = decode(in_order({offset[0], offset[1], offset[2], offset[3]}, params.coding),
                         {anchor[0], anchor[1], anchor[2], anchor[3]}, params.coding);
  store(params.clip ? clipped(box, params.width, params.height) : box, boxes + int64_t{4} * i);
}

}  // namespace

void decode_boxes(const float* offsets, const float* anchors, int64_t n, int64_t count,
                  const DecodeBoxes& params, float* boxes, Stream stream) {
  const int total = checked_int(n * count, "a batch's boxes");
  launch<decode_boxes_kernel>({.grid = blocks_for(total, kBlock), .block = kBlock, .stream = stream}, offsets,
                              anchors, static_cast<unsigned>(total), static_cast<unsigned>(count), params,
                              boxes);
}

}  // namespace tyto::kernels

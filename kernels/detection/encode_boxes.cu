// Box regression's targets. A thread a box: 32 bytes read, 16 written, six divisions and two logarithms:
// bound by memory.
#include "kernels/detection/encode_boxes.h"

#include "kernels/common/launch.h"
#include "kernels/detection/boxes.cuh"
#include "kernels/detection/encode_boxes_math.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256;

__global__ void __launch_bounds__(kBlock)
    encode_boxes_kernel(const float* __restrict__ references, const float* __restrict__ targets,
                        unsigned total, EncodeBoxes params, float* __restrict__ offsets) {
  const unsigned i = blockIdx.x * kBlock + threadIdx.x;
  if (i >= total) return;
  const Offsets row =
      encode(load_box(references + int64_t{4} * i), load_box(targets + int64_t{4} * i), params);
  store(in_order(row, params.coding), offsets + int64_t{4} * i);
}

}  // namespace

void encode_boxes(const float* references, const float* targets, int64_t n, const EncodeBoxes& params,
                  float* offsets, Stream stream) {
  const auto total = static_cast<unsigned>(checked_int(n, "the boxes to encode"));
  launch<encode_boxes_kernel>({.grid = blocks_for(total, kBlock), .block = kBlock, .stream = stream},
                              references, targets, total, params, offsets);
}

}  // namespace tyto::kernels

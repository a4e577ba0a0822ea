// From regions' offsets to a box a class. A thread a box, so that a warp writes side by side: 16 bytes of
// offsets read and 16 written, the region shared by its classes. Bound by memory.
#include "kernels/detection/decode_rois.h"

#include "kernels/common/launch.h"
#include "kernels/detection/boxes.cuh"
#include "kernels/detection/decode_rois_math.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256;

__global__ void __launch_bounds__(kBlock)
    decode_rois_kernel(const float* __restrict__ offsets, Rois rois, const float* __restrict__ sizes,
                       unsigned total, unsigned capacity, unsigned classes, DecodeRois params,
                       float* __restrict__ boxes) {
  const unsigned i = blockIdx.x * kBlock + threadIdx.x;
  if (i >= total) return;
  const unsigned roi = i / (classes - 1), label = i % (classes - 1) + 1;
  const unsigned image = roi / capacity;
  Box box = {};
  if (!rois.counts || static_cast<int>(roi % capacity) < rois.counts[image]) {
    float offset[4];
    load(offsets + int64_t{4} * (roi * classes + label), offset);
    const float* row = rois.rows + int64_t{rois.stride} * roi;
    const Extent extent = extent_of(load_sizes(sizes, image), params);
    box = clipped(decode(in_order({offset[0], offset[1], offset[2], offset[3]}, params.coding),
                         centred({row[0], row[1], row[2], row[3]}), params.coding),
                  extent.width, extent.height);
  }
  store(box, boxes + int64_t{4} * i);
}

}  // namespace

void decode_rois(const float* offsets, const Rois& rois, const float* sizes, int64_t classes,
                 const DecodeRois& params, float* boxes, Stream stream) {
  checked_int(rois.total() * classes, "the boxes of a batch's regions");
  const auto total = static_cast<unsigned>(rois.total() * (classes - 1));
  launch<decode_rois_kernel>({.grid = blocks_for(total, kBlock), .block = kBlock, .stream = stream}, offsets,
                             rois, sizes, total, static_cast<unsigned>(rois.capacity),
                             static_cast<unsigned>(classes), params, boxes);
}

}  // namespace tyto::kernels

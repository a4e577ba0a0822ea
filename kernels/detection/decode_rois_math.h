// Where a region's boxes end, the same bits on CPU and CUDA.
#pragma once

#include "kernels/detection/boxes_math.h"
#include "kernels/detection/decode_rois.h"

namespace tyto::kernels {

struct Extent {
  float width, height;
};

TYTO_HOST_DEVICE inline Extent extent_of(const ImageSizes& sizes, const DecodeRois& params) {
  return {sizes.width, params.one_scale ? sizes.original_height * sizes.scale() : sizes.height};
}

}  // namespace tyto::kernels

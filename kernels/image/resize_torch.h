// torch.nn.functional.interpolate(mode="bilinear", align_corners=False) of a normalised image: how torchvision's
// detectors resize. Not antialiased; floats throughout, no rounding to bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/image/normalize.h"
#include "kernels/image/resize.h"

namespace tyto::kernels {

// One axis: output i blends the inputs first[i] and second[i].
struct BilinearTaps {
  std::vector<int32_t> first, second;
  std::vector<float> weight;  // of the second
};

struct TorchResizeScratch {
  BilinearTaps columns, rows;
};

// params.resampling is not looked at.
// image   [in_height, in_width, 3]   bytes, normalised as they are read
// planes  3 planes of the window [window_height, window_width], `plane_stride` and `row_stride` floats apart
// std::invalid_argument as resize_cpu. One thread; no allocation once the scratch has grown.
void resize_torch_cpu(const uint8_t* image, const ResizeParams& params, const NormalizeTable& table,
                      float* planes, int64_t plane_stride, int64_t row_stride, TorchResizeScratch& scratch);

}  // namespace tyto::kernels

// torch.nn.functional.interpolate(mode="bilinear", align_corners=False) of a normalised image: how
// torchvision's detectors resize. Not antialiased; floats throughout, no rounding to bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/image/normalize.h"
#include "kernels/image/resize.h"
#include "kernels/image/resize_torch_math.h"

namespace tyto::kernels {

struct TorchResizeScratch {
  std::vector<BilinearTap> columns, rows;
};

// params.resampling is not looked at.
// image   [in_height, in_width, 3]   bytes, normalised as they are read
// planes  3 planes of the window [window_height, window_width], `plane_stride` and `row_stride` floats apart
// std::invalid_argument as resize_cpu. One thread; no allocation once the scratch has grown.
void resize_torch_cpu(const uint8_t* image, const ResizeParams& params, const NormalizeTable& table,
                      float* planes, int64_t plane_stride, int64_t row_stride, TorchResizeScratch& scratch);

// The same bits on CUDA, from and to device memory. No allocation, no host synchronisation.
void resize_torch(const uint8_t* image, const ResizeParams&, const NormalizeParams&, float* planes,
                  int64_t plane_stride, int64_t row_stride, Stream);

}  // namespace tyto::kernels

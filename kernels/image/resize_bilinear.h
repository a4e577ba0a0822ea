// Bilinear interpolation of a normalised image, not antialiased; floats throughout, no rounding to bytes.
//
// TorchBilinear: torch.nn.functional.interpolate(mode="bilinear", align_corners=False), how torchvision's
// detectors resize. SkimageBilinear: skimage.transform.resize(order=1, mode="reflect", anti_aliasing=False)
// (scikit-image 0.19, by scipy's zoom), how simple-faster-rcnn-pytorch and chainercv do; they normalise the
// resized image, which is the same but for rounding, as the weights of a pixel's neighbours add up to 1.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/image/bilinear_math.h"
#include "kernels/image/normalize.h"
#include "kernels/image/resize.h"

namespace tyto::kernels {

struct BilinearScratch {
  std::vector<BilinearTap> columns, rows;
};

// image   [in_height, in_width, 3]   bytes, normalised as they are read
// planes  3 planes of the window [window_height, window_width], `plane_stride` and `row_stride` floats apart
// std::invalid_argument as check_window, and for a resampling that gives bytes. One thread; no allocation
// once the scratch has grown.
void resize_bilinear_cpu(const uint8_t* image, const ResizeParams& params, const NormalizeTable& table,
                         float* planes, int64_t plane_stride, int64_t row_stride, BilinearScratch& scratch);

// The same bits on CUDA, from and to device memory. No allocation, no host synchronisation.
void resize_bilinear(const uint8_t* image, const ResizeParams&, const NormalizeParams&, float* planes,
                     int64_t plane_stride, int64_t row_stride, Stream);

}  // namespace tyto::kernels

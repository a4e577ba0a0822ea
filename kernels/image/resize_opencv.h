// The CvBilinear half of resize.
#pragma once

#include "kernels/image/resize.h"

namespace tyto::kernels {

// As resize, for checked parameters with resampling == CvBilinear.
void resize_opencv(const uint8_t* image, uint8_t* out, int64_t out_row_bytes, const ResizeParams&,
                   const int32_t* tables, Stream);

}  // namespace tyto::kernels

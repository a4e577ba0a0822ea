// The CvBilinear half of resize_cpu.
#pragma once

#include "kernels/image/resize.h"

namespace tyto::kernels {

// As resize_cpu, for checked parameters with resampling == CvBilinear.
void resize_opencv_cpu(const uint8_t* image, uint8_t* out, int64_t out_row_bytes, const ResizeParams&,
                       ResizeScratch&);

}  // namespace tyto::kernels

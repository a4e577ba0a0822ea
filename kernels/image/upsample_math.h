// The arithmetic of upsampling, shared by CPU and CUDA: compile without fused multiply-add.
#pragma once

#include "kernels/common/host_device.h"
#include "kernels/image/bilinear_math.h"
#include "kernels/image/upsample.h"

namespace tyto::kernels {

TYTO_HOST_DEVICE inline int nearest_cell(int output, int in_size, float step) {
  const float position = step * static_cast<float>(output);  // positive, so that the cast rounds down
  return position < static_cast<float>(in_size - 1) ? static_cast<int>(position) : in_size - 1;
}

// For the two bilinear modes.
TYTO_HOST_DEVICE inline BilinearTap upsample_tap(Upsampling mode, int output, int in_size, float step) {
  return mode == Upsampling::Bilinear ? bilinear_tap(output, in_size, step)
                                      : bilinear_tap_at(step * static_cast<float>(output), in_size);
}

}  // namespace tyto::kernels

// Resampling of feature maps (torch.nn.functional.interpolate): nearest, and bilinear without antialiasing.
#pragma once

#include <cstdint>

#include "kernels/common/channel_blocks.h"
#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"

namespace tyto::kernels {

enum class Upsampling : uint8_t {
  Nearest,          // cell floor(r * step): torch's "nearest"
  Bilinear,         // around (r + 1/2) * step - 1/2: align_corners=False
  BilinearCorners,  // around r * step: align_corners=True
};

// Cells of x for one of y, along one axis. torch takes upsample_step() of the sizes, but 1 / scale_factor
// where that is given for Nearest or Bilinear and recompute_scale_factor is not set.
struct UpsampleSteps {
  float y = 1, x = 1;
};

// in / out; for BilinearCorners (in - 1) / (out - 1), and 0 for a single output.
float upsample_step(Upsampling mode, int64_t in, int64_t out);

// y [n, c, h, w] from x [n, c, H, W], blocked alike; H and W >= 1, h and w any. Positions past x's edge are
// its edge. Positions and weights in float, as torch's: cells are the same, blends differ in rounding.
void upsample_cpu(const ChannelBlocks<const float>& x, Upsampling mode, UpsampleSteps steps,
                  const ChannelBlocks<float>& y);

// The same on CUDA for float, Half and BFloat16: the same bits, rounded to T.
// y   n and channels like x; must not overlap x
// x.elements(), y.elements() < 2^31, else DeviceError.
template <class T>
void upsample(Nhwc<const T> x, Upsampling mode, UpsampleSteps steps, Nhwc<T> y, Stream stream);

}  // namespace tyto::kernels

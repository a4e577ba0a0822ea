// Bicubic rescaling of float planes, as torch.nn.functional.interpolate(x, scale_factor=s, mode="bicubic",
// align_corners=False): Keys' kernel with a = -0.75, not antialiased, borders repeated, sampled at steps of 1
// / s whatever the rounded size.
#pragma once

#include <cstdint>

#include "kernels/common/stream.h"

namespace tyto::kernels {

struct BicubicParams {
  int64_t planes = 0, height = 0, width = 0;  // planes = n * c; height, width >= 1
  double scale = 1;                           // > 0, and large enough that no output size is 0
};

int64_t bicubic_size(int64_t size, double scale);  // floor(size * scale)

// in   [planes, height, width]
// out  [planes, bicubic_size(height), bicubic_size(width)]; not in place
// Weights and sums in float, in torch's order. The two differ where torch's compiler fuses multiply and add:
// by less than 3e-6 of the largest input (derived in the test). std::invalid_argument if a size is not
// positive.
void bicubic_cpu(const float* in, float* out, const BicubicParams&);

// The same bits on CUDA, from and to device memory. std::invalid_argument likewise.
void bicubic(const float* in, float* out, const BicubicParams&, Stream);

}  // namespace tyto::kernels

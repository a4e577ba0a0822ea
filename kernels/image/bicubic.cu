// torch's bicubic interpolation: a thread makes one output of every plane, so that its taps are found once.
// Bound by memory: each input read about 16 times, all but once from L1, each output written once.
// Neighbouring threads read 1 / scale elements apart: the sectors are ideal when enlarging, and grow as 1 /
// scale when shrinking.

#include "kernels/image/bicubic.h"

#include <stdexcept>

#include "kernels/common/launch.h"
#include "kernels/image/bicubic_math.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 128;
constexpr int kPlanesPerThread = 4;  // at least, for the taps to pay
constexpr int64_t kGridLimit = 65535;

__global__ void bicubic_kernel(const float* in, int64_t planes, int64_t height, int64_t width, float step,
                               float* out, int64_t out_width) {
  const int64_t y = blockIdx.x, x = static_cast<int64_t>(blockIdx.y) * kBlock + threadIdx.x;
  if (x >= out_width) return;
  const CubicTaps down = cubic_taps(y, height, step), across = cubic_taps(x, width, step);
  for (int64_t plane = blockIdx.z; plane < planes; plane += gridDim.z) {
    float rows[4];
    for (int k = 0; k < 4; ++k) {
      const float* row = in + (plane * height + down.index[k]) * width;
      rows[k] =
          cubic_sum({row[across.index[0]], row[across.index[1]], row[across.index[2]], row[across.index[3]]},
                    across.weight);
    }
    out[(plane * gridDim.x + y) * out_width + x] = cubic_sum(rows, down.weight);
  }
}

}  // namespace

void bicubic(const float* in, float* out, const BicubicParams& p, Stream stream) {
  const int64_t out_height = bicubic_size(p.height, p.scale), out_width = bicubic_size(p.width, p.scale);
  if (p.height < 1 || p.width < 1 || out_height < 1 || out_width < 1)
    throw std::invalid_argument("bicubic: a size is not positive");
  const int64_t tiles = (out_width + kBlock - 1) / kBlock;
  if (tiles > kGridLimit)
    throw DeviceError("a row of " + std::to_string(out_width) + " outputs exceeds the grid");
  const int64_t groups = std::min((p.planes + kPlanesPerThread - 1) / kPlanesPerThread, kGridLimit);
  launch<bicubic_kernel>({.grid = {static_cast<unsigned>(checked_int(out_height, "a height")),
                                   static_cast<unsigned>(tiles), static_cast<unsigned>(groups)},
                          .block = kBlock,
                          .stream = stream},
                         in, p.planes, p.height, p.width, static_cast<float>(1.0 / p.scale), out, out_width);
}

}  // namespace tyto::kernels

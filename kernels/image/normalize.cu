// 8-bit pixels to float planes: 3 bytes read and 12 written a pixel. Each value is computed, not looked up:
// two divisions are cheaper than a table that every block would copy to shared memory and whose banks random
// bytes would meet in. Bound by memory: 1.4 MB for 300 x 300.

#include "kernels/image/normalize.h"

#include "kernels/common/launch.h"
#include "kernels/image/normalize_math.h"
#include "kernels/image/staged_pixels.cuh"

namespace tyto::kernels {
namespace {

__global__ void __launch_bounds__(kPixelThreads)
    normalize_kernel(DeviceImage pixels, NormalizeParams params, float* planes) {
  TYTO_SHARED_ARRAY(uint4, stage, kStageVectors);
  const int begin = static_cast<int>(blockIdx.x) * kStagePixels, thread = static_cast<int>(threadIdx.x);
  const int count = min(pixels.width - begin, kStagePixels);
  stage_pixels(pixels, 0, begin, count, stage, thread, kPixelThreads);
  __syncthreads();
  const int lead = pixels.lead(pixels.offset(0, begin));
  for (int i = thread; i < count; i += kPixelThreads) {
    const uint32_t pixel = staged_pixel(stage, lead + 3 * i);
    for (int plane = 0; plane < 3; ++plane)
      planes[static_cast<int64_t>(plane) * pixels.width + begin + i] = normalized_pixel(pixel, params, plane);
  }
}

}  // namespace

void normalize(const uint8_t* pixels, int64_t count, const NormalizeParams& params, float* planes,
               Stream stream) {
  const DeviceImage row = {pixels, 1, checked_int(count, "an image")};
  launch<normalize_kernel>(
      {.grid = blocks_for(count, kStagePixels), .block = kPixelThreads, .stream = stream}, row, params,
      planes);
}

}  // namespace tyto::kernels

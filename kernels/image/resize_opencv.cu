// OpenCV's bilinear resampling, each output from the four pixels around it in one pass.
//
// A block makes 128 neighbouring outputs of one row from two stretches of source rows. Cost of 640 x 480 to
// 300 x 300: 1.2 MB read, 0.3 MB written; bound by its launch.

#include "kernels/image/resize_opencv.h"

#include "kernels/common/launch.h"
#include "kernels/image/resize_math.h"
#include "kernels/image/resize_tables.h"
#include "kernels/image/staged_pixels.cuh"

namespace tyto::kernels {
namespace {

__global__ void __launch_bounds__(kPixelThreads)
    cv_bilinear_kernel(DeviceImage image, AxisTable across, AxisTable down, uint8_t* out,
                       int64_t out_row_bytes) {
  const int y = static_cast<int>(blockIdx.x), x0 = static_cast<int>(blockIdx.y) * kPixelThreads;
  const int last = min(x0 + kPixelThreads, across.outputs) - 1;
  const int x = min(x0 + static_cast<int>(threadIdx.x), last);
  const int left = across.first[x], right = left + across.count[x] - 1, top = down.first[y];
  const Corners corners = gather_corners(image, top, top + down.count[y] - 1, left, right, across.first[x0],
                                         across.first[last] + across.count[last]);
  // Beyond a border OpenCV multiplies the border pixel by one along the row, but not down the column.
  const bool border = right == left;
  const int32_t a = border ? 1 << kCvCoefficientBits : across.weights[x];
  const int32_t b = border ? 0 : across.weights[across.outputs + x];
  uint32_t pixel = 0;
  for (int c = 0; c < 3; ++c) {
    const int32_t upper = channel(corners.top[0], c) * a + channel(corners.top[1], c) * b;
    const int32_t lower = channel(corners.bottom[0], c) * a + channel(corners.bottom[1], c) * b;
    pixel |= static_cast<uint32_t>(cv_byte(upper, lower, down.weights[y], down.weights[down.outputs + y]))
             << 8 * c;
  }
  store_pixels(out + y * out_row_bytes + int64_t{3} * x0, last + 1 - x0, pixel);
}

__global__ void __launch_bounds__(kPixelThreads)
    cv_halve_kernel(DeviceImage image, int window_x, int window_y, int window_width, uint8_t* out,
                    int64_t out_row_bytes) {
  const int y = static_cast<int>(blockIdx.x), x0 = static_cast<int>(blockIdx.y) * kPixelThreads;
  const int count = min(kPixelThreads, window_width - x0);
  const int begin = 2 * (window_x + x0), top = 2 * (window_y + y);
  const int left = begin + 2 * min(static_cast<int>(threadIdx.x), count - 1);
  const Corners corners = gather_corners(image, top, top + 1, left, left + 1, begin, begin + 2 * count);
  uint32_t pixel = 0;
  for (int c = 0; c < 3; ++c)
    pixel |= static_cast<uint32_t>(mean_of_four(channel(corners.top[0], c), channel(corners.top[1], c),
                                                channel(corners.bottom[0], c), channel(corners.bottom[1], c)))
             << 8 * c;
  store_pixels(out + y * out_row_bytes + int64_t{3} * x0, count, pixel);
}

}  // namespace

void resize_opencv(const uint8_t* image, uint8_t* out, int64_t out_row_bytes, const ResizeParams& p,
                   const int32_t* tables, Stream stream) {
  const DeviceImage source = {image, p.in_height, p.in_width};
  const LaunchConfig config = {.grid = {static_cast<unsigned>(p.window_height), pixel_tiles(p.window_width)},
                               .block = kPixelThreads,
                               .stream = stream};
  if (halves(p))
    launch<cv_halve_kernel>(config, source, p.window_x, p.window_y, p.window_width, out, out_row_bytes);
  else
    launch<cv_bilinear_kernel>(config, source, horizontal_table(p, tables), vertical_table(p, tables), out,
                               out_row_bytes);
}

}  // namespace tyto::kernels

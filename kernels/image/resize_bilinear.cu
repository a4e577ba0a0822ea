// Bilinear interpolation of a normalised image, each output from the bytes of the four pixels around
// it in one pass: the normalised image is never stored.
//
// A block makes 128 neighbouring outputs of one row from two stretches of source rows. Cost of 640 x 480 to
// 1067 x 800: 0.9 MB read (each row about three times, from L2), 10 MB written, 24 divisions an output: bound
// by arithmetic, at a few times the time that the memory needs.

#include "kernels/image/resize_bilinear.h"

#include <stdexcept>

#include "kernels/common/launch.h"
#include "kernels/image/normalize_math.h"
#include "kernels/image/staged_pixels.cuh"

namespace tyto::kernels {
namespace {

__global__ void __launch_bounds__(kPixelThreads)
    bilinear_kernel(DeviceImage image, BilinearAxis across, BilinearAxis down, NormalizeParams params,
                    float* planes, int64_t plane_stride, int64_t row_stride) {
  const int y = static_cast<int>(blockIdx.x), x0 = static_cast<int>(blockIdx.y) * kPixelThreads;
  const int x = x0 + static_cast<int>(threadIdx.x), last = min(x0 + kPixelThreads, across.outputs) - 1;
  const BilinearTap row = down.tap(y), column = across.tap(min(x, last));
  const Corners corners = gather_corners(image, row.first, row.second, column.first, column.second,
                                         across.tap(x0).first, across.tap(last).second + 1);
  if (x > last) return;
  for (int plane = 0; plane < 3; ++plane) {
    planes[plane * plane_stride + y * row_stride + x] = bilinear_blend(
        normalized_pixel(corners.top[0], params, plane), normalized_pixel(corners.top[1], params, plane),
        normalized_pixel(corners.bottom[0], params, plane),
        normalized_pixel(corners.bottom[1], params, plane), column.weight, row.weight);
  }
}

}  // namespace

void resize_bilinear(const uint8_t* image, const ResizeParams& p, const NormalizeParams& params,
                     float* planes, int64_t plane_stride, int64_t row_stride, Stream stream) {
  check_window(p);
  if (gives_bytes(p.resampling))
    throw std::invalid_argument("resize_bilinear: a resampling that gives bytes");
  // Of an output, at a scale of 1/255: a difference and two quotients for each of four pixels, and six
  // products, three with a sum.
  const double outputs = 3.0 * p.window_height * p.window_width;
  launch<bilinear_kernel>({.grid = {static_cast<unsigned>(p.window_height), pixel_tiles(p.window_width)},
                           .block = kPixelThreads,
                           .stream = stream,
                           .work = {.operations = 10 * outputs, .exponentials = 8 * outputs}},
                          DeviceImage{image, p.in_height, p.in_width}, BilinearAxis(horizontal_range(p)),
                          BilinearAxis(vertical_range(p)), params, planes, plane_stride, row_stride);
}

}  // namespace tyto::kernels

// Pillow's resampling of an image in two passes, horizontal then vertical, with 8-bit pixels in between: the
// source rows that the window needs are resampled to pixels of 4 bytes in the workspace, then these down to
// the window. A pass that changes no size has weights of one and nought and gives the bytes it gets, so it
// needs no path of its own.
//
// The sums are of integers, so they may be taken stretch by stretch: any image fits, however far it is
// shrunk.
//
// Cost of 640 x 480 to 300 x 300, bilinear: 0.9 MB read, 0.6 MB to the workspace, 1.8 MB from it (from L1 and
// L2: each row is read by the three outputs that weigh it), 0.3 MB written; 3.6 million multiply-adds. Bound
// by its two launches.
//
// Neighbouring threads read shared memory 3 * scale bytes apart: beyond a scale of 4/3 two of them meet in a
// bank. The remedy would be to transpose the stage, which costs what it saves.

#include "kernels/image/resize.h"

#include <stdexcept>

#include "kernels/common/launch.h"
#include "kernels/image/resize_math.h"
#include "kernels/image/resize_opencv.h"
#include "kernels/image/resize_tables.h"
#include "kernels/image/staged_pixels.cuh"

namespace tyto::kernels {
namespace {

constexpr int kRows = 4;  // that a block resamples horizontally: a weight is loaded once for all

__device__ uint32_t pil_pixel(const int32_t (&sum)[3]) {
  return pil_byte(sum[0]) | pil_byte(sum[1]) << 8 | pil_byte(sum[2]) << 16;
}

// Row first_row + y of the image to row y of `columns`, for y < rows. A warp stages each row; beyond the
// image there are zeros.
__global__ void __launch_bounds__(kPixelThreads)
    pil_horizontal_kernel(DeviceImage image, AxisTable axis, int first_row, int rows, uint32_t* columns,
                          int row_pixels) {
  TYTO_SHARED_ARRAY(uint4, stage, kRows * kStageVectors);
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
  const int y0 = static_cast<int>(blockIdx.x) * kRows;
  const int i0 = static_cast<int>(blockIdx.y) * kPixelThreads, i = i0 + thread;
  const int last = min(i0 + kPixelThreads, axis.outputs) - 1;
  const int begin = axis.first[i0], end = axis.first[last] + axis.count[last];
  const int first = i <= last ? axis.first[i] : end;
  const int behind = i <= last ? first + axis.count[i] : end;

  int32_t sums[kRows][3];
  for (int r = 0; r < kRows; ++r)
    for (int c = 0; c < 3; ++c) sums[r][c] = kPilHalf;
  for (int x = begin; x < end; x += kStagePixels) {
    const int stretch_end = min(x + kStagePixels, end);
    stage_pixels(image, first_row + y0 + warp, x, stretch_end - x, stage + warp * kStageVectors, lane, 32);
    __syncthreads();
    int lead[kRows];
    for (int r = 0; r < kRows; ++r) lead[r] = image.lead(image.offset(first_row + y0 + r, x));
    for (int tap = max(first, x); tap < min(behind, stretch_end); ++tap) {
      const int32_t weight = axis.weights[static_cast<int64_t>(tap - first) * axis.outputs + i];
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const uint32_t pixel = staged_pixel(stage + r * kStageVectors, lead[r] + 3 * (tap - x));
        for (int c = 0; c < 3; ++c) sums[r][c] += weight * channel(pixel, c);
      }
    }
    __syncthreads();  // before the next stretch takes the stage
  }
  if (i > last) return;
  for (int r = 0; r < kRows; ++r)
    if (y0 + r < rows) columns[static_cast<int64_t>(y0 + r) * row_pixels + i] = pil_pixel(sums[r]);
}

// columns  what pil_horizontal_kernel made of the image's rows from first_row on
__global__ void __launch_bounds__(kPixelThreads)
    pil_vertical_kernel(const uint32_t* columns, int row_pixels, AxisTable axis, int first_row, int width,
                        uint8_t* out, int64_t out_row_bytes) {
  const int y = static_cast<int>(blockIdx.x);
  const int x0 = static_cast<int>(blockIdx.y) * kPixelThreads, x = x0 + static_cast<int>(threadIdx.x);
  int32_t sums[3] = {kPilHalf, kPilHalf, kPilHalf};
  if (x < width) {
    const uint32_t* column = columns + static_cast<int64_t>(axis.first[y] - first_row) * row_pixels + x;
    const int count = axis.count[y];
    for (int tap = 0; tap < count; ++tap) {
      const int32_t weight = axis.weights[static_cast<int64_t>(tap) * axis.outputs + y];
      const uint32_t pixel = column[static_cast<int64_t>(tap) * row_pixels];
      for (int c = 0; c < 3; ++c) sums[c] += weight * channel(pixel, c);
    }
  }
  store_pixels(out + y * out_row_bytes + int64_t{3} * x0, min(kPixelThreads, width - x0), pil_pixel(sums));
}

// Pixels from one workspace row to the next: whole sectors of 32 bytes.
int workspace_row_pixels(const ResizeParams& p) {
  return checked_int((int64_t{p.window_width} + 7) / 8 * 8, "a row");
}

}  // namespace

int64_t resize_workspace_bytes(const ResizeParams& p) {
  if (p.resampling == Resampling::CvBilinear) return 0;
  const AxisInputs rows = pil_inputs(vertical_range(p));
  return int64_t{rows.end - rows.begin} * workspace_row_pixels(p) * static_cast<int64_t>(sizeof(uint32_t));
}

void resize(const uint8_t* image, uint8_t* out, int64_t out_row_bytes, const ResizeParams& p,
            const int32_t* tables, void* workspace, Stream stream) {
  check_window(p);
  if (!gives_bytes(p.resampling)) throw std::invalid_argument("resize: a resampling that gives floats");
  if (p.resampling == Resampling::CvBilinear)
    return resize_opencv(image, out, out_row_bytes, p, tables, stream);
  const AxisInputs rows = pil_inputs(vertical_range(p));
  const int row_count = rows.end - rows.begin, row_pixels = workspace_row_pixels(p);
  const unsigned tiles = pixel_tiles(p.window_width);
  uint32_t* columns = static_cast<uint32_t*>(workspace);
  launch<pil_horizontal_kernel>(
      {.grid = {blocks_for(row_count, kRows), tiles}, .block = kPixelThreads, .stream = stream},
      DeviceImage{image, p.in_height, p.in_width}, horizontal_table(p, tables), rows.begin, row_count,
      columns, row_pixels);
  launch<pil_vertical_kernel>(
      {.grid = {static_cast<unsigned>(p.window_height), tiles}, .block = kPixelThreads, .stream = stream},
      columns, row_pixels, vertical_table(p, tables), rows.begin, p.window_width, out, out_row_bytes);
}

}  // namespace tyto::kernels

#include "kernels/image/resize_torch.h"

#include <cstddef>

#include "kernels/image/resize_torch_math.h"

namespace tyto::kernels {
namespace {

void prepare(std::vector<BilinearTap>& taps, int in_size, int out_size, int begin, int count) {
  taps.resize(static_cast<size_t>(count));
  const float step = static_cast<float>(in_size) / static_cast<float>(out_size);
  for (int i = 0; i < count; ++i) taps[static_cast<size_t>(i)] = bilinear_tap(begin + i, in_size, step);
}

}  // namespace

void resize_torch_cpu(const uint8_t* image, const ResizeParams& p, const NormalizeTable& table, float* planes,
                      int64_t plane_stride, int64_t row_stride, TorchResizeScratch& scratch) {
  check_window(p);
  prepare(scratch.columns, p.in_width, p.out_width, p.window_x, p.window_width);
  prepare(scratch.rows, p.in_height, p.out_height, p.window_y, p.window_height);
  const int64_t row_bytes = int64_t{3} * p.in_width;
  for (int plane = 0; plane < 3; ++plane) {
    const uint8_t* channel = image + table.channel[static_cast<size_t>(plane)];
    const float* value = table.value[static_cast<size_t>(plane)].data();
    float* to = planes + plane * plane_stride;
    for (const BilinearTap& row : scratch.rows) {
      const uint8_t *upper = channel + row.first * row_bytes, *lower = channel + row.second * row_bytes;
      for (size_t x = 0; x < scratch.columns.size(); ++x) {
        const BilinearTap& column = scratch.columns[x];
        const int64_t a = int64_t{3} * column.first, b = int64_t{3} * column.second;
        to[x] = bilinear_blend(value[upper[a]], value[upper[b]], value[lower[a]], value[lower[b]],
                               column.weight, row.weight);
      }
      to += row_stride;
    }
  }
}

}  // namespace tyto::kernels

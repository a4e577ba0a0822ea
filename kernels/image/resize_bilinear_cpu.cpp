#include "kernels/image/resize_bilinear.h"

#include <cstddef>
#include <stdexcept>

namespace tyto::kernels {
namespace {

void prepare(std::vector<BilinearTap>& taps, const AxisRange& range) {
  const BilinearAxis axis(range);
  taps.resize(static_cast<size_t>(axis.outputs));
  for (int i = 0; i < axis.outputs; ++i) taps[static_cast<size_t>(i)] = axis.tap(i);
}

}  // namespace

void resize_bilinear_cpu(const uint8_t* image, const ResizeParams& p, const NormalizeTable& table,
                         float* planes, int64_t plane_stride, int64_t row_stride, BilinearScratch& scratch) {
  check_window(p);
  if (gives_bytes(p.resampling))
    throw std::invalid_argument("resize_bilinear_cpu: a resampling that gives bytes");
  prepare(scratch.columns, horizontal_range(p));
  prepare(scratch.rows, vertical_range(p));
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

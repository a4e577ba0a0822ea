#include "kernels/image/resize_torch.h"

#include <algorithm>

namespace tyto::kernels {
namespace {

// As torch's CPU code: step and position in float.
void prepare(BilinearTaps& taps, int in_size, int out_size, int begin, int count) {
  taps.first.resize(static_cast<size_t>(count));
  taps.second.resize(static_cast<size_t>(count));
  taps.weight.resize(static_cast<size_t>(count));
  const float step = static_cast<float>(in_size) / static_cast<float>(out_size);
  for (int i = 0; i < count; ++i) {
    const float position = std::max(0.0f, step * (static_cast<float>(begin + i) + 0.5f) - 0.5f);
    const int first = std::min(static_cast<int>(position), in_size - 1);
    const auto at = static_cast<size_t>(i);
    taps.first[at] = first;
    taps.second[at] = std::min(first + 1, in_size - 1);
    taps.weight[at] = std::clamp(position - static_cast<float>(first), 0.0f, 1.0f);
  }
}

}  // namespace

void resize_torch_cpu(const uint8_t* image, const ResizeParams& p, const NormalizeTable& table, float* planes,
                      int64_t plane_stride, int64_t row_stride, TorchResizeScratch& scratch) {
  check_window(p);
  prepare(scratch.columns, p.in_width, p.out_width, p.window_x, p.window_width);
  prepare(scratch.rows, p.in_height, p.out_height, p.window_y, p.window_height);
  const BilinearTaps &columns = scratch.columns, &rows = scratch.rows;
  const int64_t row_bytes = int64_t{3} * p.in_width;
  for (int plane = 0; plane < 3; ++plane) {
    const uint8_t* channel = image + table.channel[static_cast<size_t>(plane)];
    const float* value = table.value[static_cast<size_t>(plane)].data();
    for (size_t y = 0; y < rows.first.size(); ++y) {
      const uint8_t *upper = channel + rows.first[y] * row_bytes,
                    *lower = channel + rows.second[y] * row_bytes;
      const float down = rows.weight[y], up = 1 - down;
      float* to = planes + plane * plane_stride + static_cast<int64_t>(y) * row_stride;
      for (size_t x = 0; x < columns.first.size(); ++x) {
        const int64_t a = int64_t{3} * columns.first[x], b = int64_t{3} * columns.second[x];
        const float right = columns.weight[x], left = 1 - right;
        to[x] = up * (left * value[upper[a]] + right * value[upper[b]]) +
                down * (left * value[lower[a]] + right * value[lower[b]]);
      }
    }
  }
}

}  // namespace tyto::kernels

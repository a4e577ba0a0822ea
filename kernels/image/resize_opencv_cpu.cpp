#include "kernels/image/resize_opencv_cpu.h"

#include <cstddef>

#include "kernels/image/resize_math.h"

namespace tyto::kernels {
namespace {

void halve(const uint8_t* image, uint8_t* out, int64_t out_row_bytes, const ResizeParams& p) {
  const int64_t in_row = int64_t{3} * p.in_width;
  for (int y = 0; y < p.window_height; ++y) {
    const uint8_t* top = image + (p.window_y + y) * 2 * in_row + int64_t{6} * p.window_x;
    uint8_t* to = out + y * out_row_bytes;
    for (int x = 0; x < p.window_width; ++x, top += 6, to += 3)
      for (int c = 0; c < 3; ++c)
        to[c] = mean_of_four(top[c], top[c + 3], top[in_row + c], top[in_row + c + 3]);
  }
}

// HResizeLinear. Beyond a border OpenCV multiplies the border pixel by one.
void blend_columns(const uint8_t* row, const ResampleAxis& axis, int outputs, int32_t* sums) {
  for (int i = 0; i < outputs; ++i, sums += 3) {
    const uint8_t* left = row + int64_t{3} * axis.first[i];
    const bool border = axis.count[i] == 1;
    const uint8_t* right = border ? left : left + 3;
    const int32_t a = border ? 1 << kCvCoefficientBits : axis.weights[2 * i];
    const int32_t b = border ? 0 : axis.weights[2 * i + 1];
    for (int c = 0; c < 3; ++c) sums[c] = left[c] * a + right[c] * b;
  }
}

void blend_rows(const int32_t* top, const int32_t* bottom, int32_t a, int32_t b, int count, uint8_t* out) {
  for (int j = 0; j < count; ++j) out[j] = cv_byte(top[j], bottom[j], a, b);
}

}  // namespace

void resize_opencv_cpu(const uint8_t* image, uint8_t* out, int64_t out_row_bytes, const ResizeParams& p,
                       ResizeScratch& s) {
  if (halves(p)) return halve(image, out, out_row_bytes, p);
  prepare_axis(s.horizontal, horizontal_range(p));
  prepare_axis(s.vertical, vertical_range(p));
  const int row = 3 * p.window_width;
  s.sums.resize(static_cast<size_t>(row) * 2);
  int held[2] = {-1, -1};  // the source row whose sums stand in each half; row y goes to half y % 2
  auto sums_of = [&](int y) {
    int32_t* sums = s.sums.data() + int64_t{y % 2} * row;
    if (held[y % 2] != y)
      blend_columns(image + static_cast<int64_t>(y) * p.in_width * 3, s.horizontal, p.window_width, sums);
    held[y % 2] = y;
    return sums;
  };
  for (int i = 0; i < p.window_height; ++i) {
    const int32_t* top = sums_of(s.vertical.first[i]);
    const int32_t* bottom = s.vertical.count[i] == 2 ? sums_of(s.vertical.first[i] + 1) : top;
    blend_rows(top, bottom, s.vertical.weights[2 * i], s.vertical.weights[2 * i + 1], row,
               out + i * out_row_bytes);
  }
}

}  // namespace tyto::kernels

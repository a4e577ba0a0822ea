#include <algorithm>

#include "kernels/layout/pad_math.h"

namespace tyto::kernels {

void pad_cpu(const ChannelBlocks<const float>& x, const Border& border, const ChannelBlocks<float>& y) {
  check_border(border.top, x.height, y.height, border.mode);
  check_border(border.left, x.width, y.width, border.mode);
  const int64_t blocks = y.blocks(), work = y.n * blocks * y.height;
  // Columns of y that are copied as they stand.
  const int64_t begin = std::clamp<int64_t>(border.left, 0, y.width);
  const int64_t end = std::clamp<int64_t>(border.left + x.width, begin, y.width);
#pragma omp parallel for schedule(static)
  for (int64_t w = 0; w < work; ++w) {
    const int64_t r = w % y.height, block = w / y.height % blocks, image = w / y.height / blocks;
    float* to = y.at(image, block) + r * y.width * y.block;
    const int64_t row = padded_from(r - border.top, x.height, border.mode);
    if (row < 0) {
      std::fill_n(to, y.width * y.block, 0.0f);
      continue;
    }
    const float* from = x.at(image, block) + row * x.width * x.block;
    const auto write = [&](int64_t column, int64_t count) {
      const int64_t at = padded_from(column - border.left, x.width, border.mode);
      if (at < 0)
        std::fill_n(to + column * y.block, y.block, 0.0f);
      else
        std::copy_n(from + at * x.block, count * x.block, to + column * y.block);
    };
    for (int64_t s = 0; s < begin; ++s) write(s, 1);
    if (end > begin) write(begin, end - begin);
    for (int64_t s = end; s < y.width; ++s) write(s, 1);
  }
}

}  // namespace tyto::kernels

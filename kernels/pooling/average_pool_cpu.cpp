#include <algorithm>

#include "kernels/pooling/average_pool_math.h"

namespace tyto::kernels {
namespace {

// One output pixel of one channel block.
void average(const float* plane, const ChannelBlocks<const float>& x, const AveragePoolWindow& window,
             const WindowSpan& rows, const WindowSpan& columns, float* to) {
  std::fill_n(to, x.block, 0.0f);
  for (int64_t r = rows.begin; r < rows.end; ++r)
    for (int64_t s = columns.begin; s < columns.end; ++s) {
      const float* pixel = plane + (r * x.width + s) * x.block;
      for (int64_t l = 0; l < x.block; ++l) to[l] += pixel[l];
    }
  const float divisor = window_divisor(window, rows, columns);
  for (int64_t l = 0; l < x.block; ++l) to[l] /= divisor;
}

}  // namespace

void average_pool_cpu(const ChannelBlocks<const float>& x, const AveragePoolWindow& window,
                      const ChannelBlocks<float>& y) {
  const int64_t blocks = y.blocks(), work = y.n * blocks * y.height;
#pragma omp parallel for schedule(static)
  for (int64_t w = 0; w < work; ++w) {
    const int64_t row = w % y.height, block = w / y.height % blocks, image = w / y.height / blocks;
    const WindowSpan rows = window_span(static_cast<int>(row), window.height, window.stride_height,
                                        window.padding_height, static_cast<int>(x.height));
    float* to = y.at(image, block) + row * y.width * y.block;
    for (int64_t column = 0; column < y.width; ++column, to += y.block)
      average(x.at(image, block), x, window, rows,
              window_span(static_cast<int>(column), window.width, window.stride_width, window.padding_width,
                          static_cast<int>(x.width)),
              to);
  }
}

}  // namespace tyto::kernels

#include <algorithm>

#include "kernels/pooling/adaptive_average_pool.h"

namespace tyto::kernels {

void adaptive_average_pool_cpu(const ChannelBlocks<const float>& x, const ChannelBlocks<float>& y) {
  const int64_t blocks = x.blocks(), work = x.n * blocks;
#pragma omp parallel for schedule(static)
  for (int64_t w = 0; w < work; ++w) {
    const float* from = x.at(w / blocks, w % blocks);
    float* to = y.at(w / blocks, w % blocks);
    for (int64_t i = 0; i < y.height; ++i)
      for (int64_t j = 0; j < y.width; ++j, to += y.block) {
        const int64_t top = i * x.height / y.height, bottom = ((i + 1) * x.height + y.height - 1) / y.height;
        const int64_t left = j * x.width / y.width, right = ((j + 1) * x.width + y.width - 1) / y.width;
        std::fill(to, to + y.block, 0.0f);
        for (int64_t r = top; r < bottom; ++r)
          for (int64_t c = left; c < right; ++c) {
            const float* pixel = from + (r * x.width + c) * x.block;
            for (int64_t l = 0; l < x.block; ++l) to[l] += pixel[l];
          }
        const auto count = static_cast<float>((bottom - top) * (right - left));
        for (int64_t l = 0; l < y.block; ++l) to[l] /= count;
      }
  }
}

}  // namespace tyto::kernels

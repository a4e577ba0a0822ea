#include <vector>

#include "kernels/pooling/gem_pool_math.h"

namespace tyto::kernels {

void gem_pool_cpu(const ChannelBlocks<const float>& x, float power, const GemPool& params,
                  const ChannelBlocks<float>& y) {
  const int64_t blocks = x.blocks(), work = x.n * blocks;
#pragma omp parallel
  {
    std::vector<double> sum(static_cast<size_t>(x.block));
#pragma omp for schedule(static)
    for (int64_t w = 0; w < work; ++w) {
      const float* pixel = x.at(w / blocks, w % blocks);
      sum.assign(sum.size(), 0.0);
      for (int64_t p = 0; p < x.area(); ++p, pixel += x.block)
        for (size_t l = 0; l < sum.size(); ++l) sum[l] += gem_term(pixel[l], power, params);
      float* to = y.at(w / blocks, w % blocks);
      for (size_t l = 0; l < sum.size(); ++l)
        to[l] = gem_root(static_cast<float>(sum[l] / static_cast<double>(x.area())), power, params);
    }
  }
}

}  // namespace tyto::kernels

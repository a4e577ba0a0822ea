#include "kernels/norm/l2_normalize.h"

#include <algorithm>
#include <cmath>

namespace tyto::kernels {
namespace {

constexpr int64_t kPixels = 32;  // that one thread works on together

// Calls body(block, its first channel, its channels).
template <class Body>
void for_each_block(const ChannelBlocks<const float>& x, const Body& body) {
  for (int64_t b = 0; b < x.blocks(); ++b) body(b, b * x.block, std::min(x.block, x.channels - b * x.block));
}

}  // namespace

void l2_normalize_cpu(const ChannelBlocks<const float>& x, const float* scale, const L2Normalize& params,
                      const ChannelBlocks<float>& y) {
  const int64_t groups = (x.area() + kPixels - 1) / kPixels;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t image = 0; image < x.n; ++image)
    for (int64_t group = 0; group < groups; ++group) {
      const int64_t first = group * kPixels, count = std::min(kPixels, x.area() - first);
      double squares[kPixels] = {};
      for_each_block(x, [&](int64_t block, int64_t, int64_t channels) {
        const float* v = x.at(image, block) + first * x.block;
        for (int64_t p = 0; p < count; ++p, v += x.block)
          for (int64_t c = 0; c < channels; ++c) squares[p] += double{v[c]} * v[c];
      });
      float factor[kPixels];
      for (int64_t p = 0; p < count; ++p) {
        const double length = std::sqrt(squares[p]), epsilon = params.epsilon;
        factor[p] = static_cast<float>(
            1 / (params.rule == L2Normalize::Epsilon::Added ? length + epsilon : std::max(length, epsilon)));
      }
      for_each_block(x, [&](int64_t block, int64_t channel, int64_t channels) {
        const float* from = x.at(image, block) + first * x.block;
        float* to = y.at(image, block) + first * x.block;
        for (int64_t p = 0; p < count; ++p, from += x.block, to += x.block) {
          for (int64_t c = 0; c < channels; ++c) to[c] = from[c] * factor[p] * scale[channel + c];
          std::fill(to + channels, to + x.block, 0.0f);
        }
      });
    }
}

}  // namespace tyto::kernels

#include <algorithm>
#include <vector>

#include "kernels/image/upsample_math.h"

namespace tyto::kernels {
namespace {

// Calls body(row of y, place in y, plane of x) for every row of every plane of channel blocks, in parallel.
template <class Body>
void for_each_row(const ChannelBlocks<const float>& x, const ChannelBlocks<float>& y, const Body& body) {
  const int64_t blocks = y.blocks(), work = y.n * blocks * y.height;
#pragma omp parallel for schedule(static)
  for (int64_t w = 0; w < work; ++w) {
    const int64_t row = w % y.height, block = w / y.height % blocks, image = w / y.height / blocks;
    body(static_cast<int>(row), y.at(image, block) + row * y.width * y.block, x.at(image, block));
  }
}

void nearest(const ChannelBlocks<const float>& x, UpsampleSteps steps, const ChannelBlocks<float>& y) {
  const int height = static_cast<int>(x.height), width = static_cast<int>(x.width);
  std::vector<int64_t> columns(static_cast<size_t>(y.width));
  for (size_t i = 0; i < columns.size(); ++i)
    columns[i] = nearest_cell(static_cast<int>(i), width, steps.x) * x.block;
  for_each_row(x, y, [&](int row, float* to, const float* plane) {
    const float* from = plane + nearest_cell(row, height, steps.y) * x.width * x.block;
    for (int64_t column : columns) to = std::copy_n(from + column, x.block, to);
  });
}

void bilinear(const ChannelBlocks<const float>& x, Upsampling mode, UpsampleSteps steps,
              const ChannelBlocks<float>& y) {
  const int height = static_cast<int>(x.height), width = static_cast<int>(x.width);
  std::vector<BilinearTap> columns(static_cast<size_t>(y.width));
  for (size_t i = 0; i < columns.size(); ++i)
    columns[i] = upsample_tap(mode, static_cast<int>(i), width, steps.x);
  for_each_row(x, y, [&](int row, float* to, const float* plane) {
    const BilinearTap down = upsample_tap(mode, row, height, steps.y);
    const float *upper = plane + down.first * x.width * x.block,
                *lower = plane + down.second * x.width * x.block;
    for (const BilinearTap& across : columns) {
      const int64_t left = across.first * x.block, right = across.second * x.block;
      for (int64_t l = 0; l < x.block; ++l)
        to[l] = bilinear_blend(upper[left + l], upper[right + l], lower[left + l], lower[right + l],
                               across.weight, down.weight);
      to += x.block;
    }
  });
}

}  // namespace

float upsample_step(Upsampling mode, int64_t in, int64_t out) {
  if (mode != Upsampling::BilinearCorners) return static_cast<float>(in) / static_cast<float>(out);
  return out > 1 ? static_cast<float>(in - 1) / static_cast<float>(out - 1) : 0.0f;
}

void upsample_cpu(const ChannelBlocks<const float>& x, Upsampling mode, UpsampleSteps steps,
                  const ChannelBlocks<float>& y) {
  if (mode == Upsampling::Nearest)
    nearest(x, steps, y);
  else
    bilinear(x, mode, steps, y);
}

}  // namespace tyto::kernels

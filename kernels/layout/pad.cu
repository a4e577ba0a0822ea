// A map copied into a larger (or shifted) one, zeros around it: a thread writes 16 bytes of channels. Bound
// by memory.
#include "kernels/layout/pad.h"

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/map_blocks.cuh"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256;

template <class T, int N>
__global__ void __launch_bounds__(kBlock) pad_kernel(const T* __restrict__ x, MapSizes sizes, int top,
                                                     int left, unsigned packs, T* __restrict__ y) {
  const unsigned i = blockIdx.x * kBlock + threadIdx.x;
  if (i >= packs) return;
  const int row_packs = sizes.channels / N;
  const int channel = i % row_packs * N, pixel = i / row_packs;
  const int column = pixel % sizes.out_width - left;
  const int row = pixel / sizes.out_width % sizes.out_height - top;
  const int image = pixel / sizes.out_width / sizes.out_height;
  float v[N] = {};
  if (row >= 0 && row < sizes.height && column >= 0 && column < sizes.width)
    load<N>(x + sizes.in(image, row, column) + channel, v);
  store<N>(v, y + i * N);
}

}  // namespace

template <class T>
void pad(Nhwc<const T> x, int64_t top, int64_t left, Nhwc<T> y, Stream stream) {
  const MapSizes sizes = map_sizes(x, y, "a padded map");
  const auto elements = static_cast<int>(y.elements());
  const auto go = [&]<int N>() {
    launch<pad_kernel<T, N>>({.grid = blocks_for(elements / N, kBlock), .block = kBlock, .stream = stream},
                             x.data, sizes, static_cast<int>(top), static_cast<int>(left),
                             static_cast<unsigned>(elements / N), y.data);
  };
  if (packable<kPack<T>>(x.channels, x.data, y.data))
    go.template operator()<kPack<T>>();
  else
    go.template operator()<1>();
}

template void pad<float>(Nhwc<const float>, int64_t, int64_t, Nhwc<float>, Stream);
template void pad<Half>(Nhwc<const Half>, int64_t, int64_t, Nhwc<Half>, Stream);
template void pad<BFloat16>(Nhwc<const BFloat16>, int64_t, int64_t, Nhwc<BFloat16>, Stream);

}  // namespace tyto::kernels

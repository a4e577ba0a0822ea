// A map copied into a larger (or shifted) one, a border around it: a thread writes 16 bytes of channels.
// Bound by memory.
#include "kernels/layout/pad.h"

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/map_blocks.cuh"
#include "kernels/layout/pad_math.h"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256;

template <class T, int N>
__global__ void __launch_bounds__(kBlock)
    pad_kernel(const T* __restrict__ x, MapSizes sizes, int top, int left, PadMode mode, unsigned packs,
               T* __restrict__ y) {
  const unsigned i = blockIdx.x * kBlock + threadIdx.x;
  if (i >= packs) return;
  const int row_packs = sizes.channels / N;
  const int channel = i % row_packs * N, pixel = i / row_packs;
  const int column = padded_from(pixel % sizes.out_width - left, sizes.width, mode);
  const int row = padded_from(pixel / sizes.out_width % sizes.out_height - top, sizes.height, mode);
  const int image = pixel / sizes.out_width / sizes.out_height;
  float v[N] = {};
  if (row >= 0 && column >= 0) load<N>(x + sizes.in(image, row, column) + channel, v);
  store<N>(v, y + i * N);
}

}  // namespace

template <class T>
void pad(Nhwc<const T> x, const Border& border, Nhwc<T> y, Stream stream) {
  check_border(border.top, x.height, y.height, border.mode);
  check_border(border.left, x.width, y.width, border.mode);
  const MapSizes sizes = map_sizes(x, y, "a padded map");
  const auto elements = static_cast<int>(y.elements());
  const auto go = [&]<int N>() {
    launch<pad_kernel<T, N>>({.grid = blocks_for(elements / N, kBlock), .block = kBlock, .stream = stream},
                             x.data, sizes, static_cast<int>(border.top), static_cast<int>(border.left),
                             border.mode, static_cast<unsigned>(elements / N), y.data);
  };
  if (packable<kPack<T>>(x.channels, x.data, y.data))
    go.template operator()<kPack<T>>();
  else
    go.template operator()<1>();
}

template void pad<float>(Nhwc<const float>, const Border&, Nhwc<float>, Stream);
template void pad<Half>(Nhwc<const Half>, const Border&, Nhwc<Half>, Stream);
template void pad<BFloat16>(Nhwc<const BFloat16>, const Border&, Nhwc<BFloat16>, Stream);

}  // namespace tyto::kernels

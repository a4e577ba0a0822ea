// Max pooling over channels-last maps: a thread owns 16 bytes of channels of one output pixel.
//
// Pixels outside of the map are read from its edge, which lies in the window too and so changes no maximum:
// the 2x2 and 3x3 windows need no branch between their loads.
//
// Cost: no arithmetic to speak of; bound by memory as long as L1 serves the overlap of the windows, which the
// blocks' shape sees to (kernels/common/map_blocks.cuh).
#include "kernels/pooling/max_pool.h"

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/map_blocks.cuh"

namespace tyto::kernels {
namespace {

// kKernel 0: window.kernel.
template <class T, int N, int kKernel>
__global__ void __launch_bounds__(kMapBlock)
    max_pool_kernel(const T* __restrict__ x, MapSizes sizes, MaxPoolWindow window, T* __restrict__ y) {
  const MapPosition position = position_on_map(sizes.channels / N);
  const int channel = position.pack * N;
  if (channel >= sizes.channels || position.column >= sizes.out_width || position.row >= sizes.out_height)
    return;
  const int kernel = kKernel == 0 ? window.kernel : kKernel;
  const int top = position.row * window.stride - window.padding_top;
  const int left = position.column * window.stride - window.padding_left;
  float best[N];
#pragma unroll
  for (int i = 0; i < N; ++i) best[i] = -INFINITY;
#pragma unroll
  for (int a = 0; a < kernel; ++a) {
    const int row = min(max(top + a, 0), sizes.height - 1);
#pragma unroll
    for (int b = 0; b < kernel; ++b) {
      const int column = min(max(left + b, 0), sizes.width - 1);
      float v[N];
      load<N>(x + sizes.in(position.image, row, column) + channel, v);
#pragma unroll
      for (int i = 0; i < N; ++i) best[i] = v[i] > best[i] || isnan(v[i]) ? v[i] : best[i];
    }
  }
  store<N>(best, y + sizes.out(position.image, position.row, position.column) + channel);
}

}  // namespace

template <class T>
void max_pool(Nhwc<const T> x, const MaxPoolWindow& window, Nhwc<T> y, Stream stream) {
  const MapSizes sizes = map_sizes(x, y, "a map of max pooling");
  const auto go = [&]<auto kernel>(int pack) {
    launch<kernel>(cover_map(x.channels / pack, y.width, y.height, y.n, stream), x.data, sizes, window,
                   y.data);
  };
  constexpr int N = kPack<T>;
  if (!packable<N>(x.channels, x.data, y.data))
    go.template operator()<max_pool_kernel<T, 1, 0>>(1);
  else if (window.kernel == 2)
    go.template operator()<max_pool_kernel<T, N, 2>>(N);
  else if (window.kernel == 3)
    go.template operator()<max_pool_kernel<T, N, 3>>(N);
  else
    go.template operator()<max_pool_kernel<T, N, 0>>(N);
}

template void max_pool<float>(Nhwc<const float>, const MaxPoolWindow&, Nhwc<float>, Stream);
template void max_pool<Half>(Nhwc<const Half>, const MaxPoolWindow&, Nhwc<Half>, Stream);
template void max_pool<BFloat16>(Nhwc<const BFloat16>, const MaxPoolWindow&, Nhwc<BFloat16>, Stream);

}  // namespace tyto::kernels

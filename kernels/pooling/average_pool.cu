// Average pooling over channels-last maps: a thread owns 16 bytes of channels of one output pixel and walks
// its window. Bound by memory as long as L1 serves the overlap of the windows, which the blocks' shape sees
// to (kernels/common/map_blocks.cuh).
#include "kernels/pooling/average_pool.h"

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/map_blocks.cuh"
#include "kernels/pooling/average_pool_math.h"

namespace tyto::kernels {
namespace {

template <class T, int N>
__global__ void __launch_bounds__(kMapBlock)
    average_pool_kernel(const T* __restrict__ x, MapSizes sizes, AveragePoolWindow window,
                        T* __restrict__ y) {
  const MapPosition position = position_on_map(sizes.channels / N);
  const int channel = position.pack * N;
  if (channel >= sizes.channels || position.column >= sizes.out_width || position.row >= sizes.out_height)
    return;
  const WindowSpan rows =
      window_span(position.row, window.height, window.stride_height, window.padding_height, sizes.height);
  const WindowSpan columns =
      window_span(position.column, window.width, window.stride_width, window.padding_width, sizes.width);
  float sum[N] = {};
  for (int r = rows.begin; r < rows.end; ++r)
    for (int s = columns.begin; s < columns.end; ++s) {
      float v[N];
      load<N>(x + sizes.in(position.image, r, s) + channel, v);
#pragma unroll
      for (int i = 0; i < N; ++i) sum[i] += v[i];
    }
  const float divisor = window_divisor(window, rows, columns);
#pragma unroll
  for (int i = 0; i < N; ++i) sum[i] /= divisor;
  store<N>(sum, y + sizes.out(position.image, position.row, position.column) + channel);
}

}  // namespace

template <class T>
void average_pool(Nhwc<const T> x, const AveragePoolWindow& window, Nhwc<T> y, Stream stream) {
  const MapSizes sizes = map_sizes(x, y, "a map of average pooling");
  const auto go = [&]<int N>() {
    launch<average_pool_kernel<T, N>>(cover_map(x.channels / N, y.width, y.height, y.n, stream), x.data,
                                      sizes, window, y.data);
  };
  if (packable<kPack<T>>(x.channels, x.data, y.data))
    go.template operator()<kPack<T>>();
  else
    go.template operator()<1>();
}

template void average_pool<float>(Nhwc<const float>, const AveragePoolWindow&, Nhwc<float>, Stream);
template void average_pool<Half>(Nhwc<const Half>, const AveragePoolWindow&, Nhwc<Half>, Stream);
template void average_pool<BFloat16>(Nhwc<const BFloat16>, const AveragePoolWindow&, Nhwc<BFloat16>, Stream);

}  // namespace tyto::kernels

// Adaptive average pooling over channels-last maps.
//
// Onto 1 x 1 (global pooling, also squeeze-and-excitation's): the threads of a block share an image's pixels;
// lanes add with shuffles, the eight warps through shared memory, always in the same order.
//
// Onto more cells: a thread owns 16 bytes of channels of one cell and walks its window.
//
// Cost: each input read once; bound by memory, at batch 1 by latency.
#include "kernels/pooling/adaptive_average_pool.h"

#include "kernels/common/channel_columns.cuh"
#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/map_blocks.cuh"

namespace tyto::kernels {
namespace {

template <class T, int N>
__global__ void __launch_bounds__(kColumnBlock)
    global_average_pool_kernel(const T* __restrict__ x, int area, int channels, T* __restrict__ y) {
  constexpr int kChannels = kColumnChannels<N>;
  TYTO_SHARED_ARRAY(float, partial, kColumnWarps* kChannels);
  const int chunks = (channels + kChannels - 1) / kChannels, thread = threadIdx.x;
  const int image = blockIdx.x / chunks, first = blockIdx.x % chunks * kChannels;
  const float total = column_reduce<Plus, N>(x + image * area * channels, area, channels, first, partial,
                                             [](float v) { return v; });
  if (thread >= kChannels || first + thread >= channels) return;
  y[image * channels + first + thread] = from_float<T>(total / static_cast<float>(area));
}

template <class T, int N>
__global__ void __launch_bounds__(kMapBlock)
    adaptive_average_pool_kernel(const T* __restrict__ x, MapSizes sizes, T* __restrict__ y) {
  const MapPosition position = position_on_map(sizes.channels / N);
  const int channel = position.pack * N;
  if (channel >= sizes.channels || position.column >= sizes.out_width || position.row >= sizes.out_height)
    return;
  // In 64 bits: a cell's index times the map's size may pass 2^31.
  const auto first = [](int64_t cell, int64_t size, int cells) {
    return static_cast<int>(cell * size / cells);
  };
  const auto past = [](int64_t cell, int64_t size, int cells) {
    return static_cast<int>(((cell + 1) * size + cells - 1) / cells);
  };
  const int top = first(position.row, sizes.height, sizes.out_height);
  const int bottom = past(position.row, sizes.height, sizes.out_height);
  const int left = first(position.column, sizes.width, sizes.out_width);
  const int right = past(position.column, sizes.width, sizes.out_width);
  float sum[N] = {};
  for (int r = top; r < bottom; ++r)
    for (int s = left; s < right; ++s) {
      float v[N];
      load<N>(x + sizes.in(position.image, r, s) + channel, v);
#pragma unroll
      for (int i = 0; i < N; ++i) sum[i] += v[i];
    }
  const auto count = static_cast<float>((bottom - top) * (right - left));
#pragma unroll
  for (int i = 0; i < N; ++i) sum[i] /= count;
  store<N>(sum, y + sizes.out(position.image, position.row, position.column) + channel);
}

template <class T, int N>
void pool(Nhwc<const T> x, Nhwc<T> y, Stream stream) {
  const MapSizes sizes = map_sizes(x, y, "a map of average pooling");
  if (y.height == 1 && y.width == 1) {
    launch<global_average_pool_kernel<T, N>>(cover_columns<N>(y.n, x.channels, stream), x.data,
                                             sizes.height * sizes.width, sizes.channels, y.data);
  } else {
    launch<adaptive_average_pool_kernel<T, N>>(cover_map(x.channels / N, y.width, y.height, y.n, stream),
                                               x.data, sizes, y.data);
  }
}

}  // namespace

template <class T>
void adaptive_average_pool(Nhwc<const T> x, Nhwc<T> y, Stream stream) {
  if (packable<kPack<T>>(x.channels, x.data, y.data))
    pool<T, kPack<T>>(x, y, stream);
  else
    pool<T, 1>(x, y, stream);
}

template void adaptive_average_pool<float>(Nhwc<const float>, Nhwc<float>, Stream);
template void adaptive_average_pool<Half>(Nhwc<const Half>, Nhwc<Half>, Stream);
template void adaptive_average_pool<BFloat16>(Nhwc<const BFloat16>, Nhwc<BFloat16>, Stream);

}  // namespace tyto::kernels

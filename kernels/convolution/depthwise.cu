// Depthwise convolution over channels-last maps.
//
// A thread owns 16 bytes of channels and, for the 3x3 and 5x5 of MobileNet, a few columns of one output row:
// it walks the window's rows, loads each input pixel once and adds it to every column that it belongs to.
// With 4 columns at stride 1 a 3x3 output costs 4.5 loads of input and 2.25 of weights instead of 9 and 9.
// Pixels outside of the map are read from its edge and replaced by 0, so that no branch stands between the
// loads.
//
// Cost: 2 * kernel^2 operations for two elements moved: bound by memory on every GPU we know as long as L1
// serves the overlap of the windows, which the blocks' shape sees to (kernels/common/map_blocks.cuh).
#include "kernels/convolution/depthwise.h"

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/map_blocks.cuh"

namespace tyto::kernels {
namespace {

template <int N, class T>
__device__ void start_sum(const T* bias, int channel, float (&sum)[N]) {
  if (bias) {
    load<N>(bias + channel, sum);
    return;
  }
#pragma unroll
  for (int i = 0; i < N; ++i) sum[i] = 0;
}

template <int N, class T>
__device__ void finish_sum(float (&sum)[N], Activation activation, T* y) {
  activate(sum, activation);
  store<N>(sum, y);
}

// Columns of one thread.
constexpr int columns_at(int stride) { return stride == 1 ? 4 : 2; }

template <class T, int kKernel, int kStride>
__global__ void __launch_bounds__(kMapBlock)
    depthwise_columns_kernel(const T* __restrict__ x, const T* __restrict__ weights,
                             const T* __restrict__ bias, MapSizes sizes, DepthwiseConvolution params,
                             T* __restrict__ y) {
  constexpr int N = kPack<T>, kColumns = columns_at(kStride), kSpan = (kColumns - 1) * kStride + kKernel;
  const MapPosition position = position_on_map(sizes.channels / N);
  const int channel = position.pack * N, first = position.column * kColumns;
  if (channel >= sizes.channels || first >= sizes.out_width || position.row >= sizes.out_height) return;

  float sum[kColumns][N];
#pragma unroll
  for (int t = 0; t < kColumns; ++t) start_sum<N>(bias, channel, sum[t]);

  const int left = first * kStride - params.padding_left;
#pragma unroll
  for (int a = 0; a < kKernel; ++a) {
    const int row = position.row * kStride - params.padding_top + a;
    if (row < 0 || row >= sizes.height) continue;
    const T* from = x + sizes.in(position.image, row, 0) + channel;
    float weight[kKernel][N];
#pragma unroll
    for (int b = 0; b < kKernel; ++b)
      load<N>(weights + (a * kKernel + b) * sizes.channels + channel, weight[b]);
#pragma unroll
    for (int j = 0; j < kSpan; ++j) {
      const int column = left + j, inside = min(max(column, 0), sizes.width - 1);
      float v[N];
      load<N>(from + inside * sizes.channels, v);
#pragma unroll
      for (int i = 0; i < N; ++i) v[i] = column == inside ? v[i] : 0.0f;
#pragma unroll
      for (int t = 0; t < kColumns; ++t) {
        const int b = j - t * kStride;
        if (b < 0 || b >= kKernel) continue;
#pragma unroll
        for (int i = 0; i < N; ++i) sum[t][i] += v[i] * weight[b][i];
      }
    }
  }

  T* to = y + sizes.out(position.image, position.row, first) + channel;
#pragma unroll
  for (int t = 0; t < kColumns; ++t)
    if (first + t < sizes.out_width) finish_sum<N>(sum[t], params.activation, to + t * sizes.channels);
}

// Any window; a thread one output pixel. Four blocks an SM are asked for, because ptxas spills on sm_90 to
// have eight.
template <class T, int N>
__global__ void __launch_bounds__(kMapBlock, 4)
    depthwise_kernel(const T* __restrict__ x, const T* __restrict__ weights, const T* __restrict__ bias,
                     MapSizes sizes, DepthwiseConvolution params, T* __restrict__ y) {
  const MapPosition position = position_on_map(sizes.channels / N);
  const int channel = position.pack * N;
  if (channel >= sizes.channels || position.column >= sizes.out_width || position.row >= sizes.out_height)
    return;
  float sum[N];
  start_sum<N>(bias, channel, sum);
  const int top = position.row * params.stride - params.padding_top;
  const int left = position.column * params.stride - params.padding_left;
  for (int a = 0; a < params.kernel; ++a) {
    const int row = top + a * params.dilation;
    if (row < 0 || row >= sizes.height) continue;
    const T* from = x + sizes.in(position.image, row, 0) + channel;
    for (int b = 0; b < params.kernel; ++b) {
      const int column = left + b * params.dilation;
      if (column < 0 || column >= sizes.width) continue;
      float v[N], weight[N];
      load<N>(from + column * sizes.channels, v);
      load<N>(weights + (a * params.kernel + b) * sizes.channels + channel, weight);
#pragma unroll
      for (int i = 0; i < N; ++i) sum[i] += v[i] * weight[i];
    }
  }
  finish_sum<N>(sum, params.activation,
                y + sizes.out(position.image, position.row, position.column) + channel);
}

}  // namespace

template <class T>
void depthwise_convolution(Nhwc<const T> x, const T* weights, const T* bias,
                           const DepthwiseConvolution& params, Nhwc<T> y, Stream stream) {
  const MapSizes sizes = map_sizes(x, y, "a map of a depthwise convolution");
  const bool packs = packable<kPack<T>>(x.channels, x.data, weights, bias, y.data);
  const auto go = [&]<auto kernel>(int pack, int columns) {
    LaunchConfig config =
        cover_map(x.channels / pack, (y.width + columns - 1) / columns, y.height, y.n, stream);
    config.work.operations = static_cast<double>(y.elements()) * params.kernel * params.kernel;
    launch<kernel>(config, x.data, weights, bias, sizes, params, y.data);
  };
  const auto is = [&](int kernel, int stride) {
    return packs && params.dilation == 1 && params.kernel == kernel && params.stride == stride;
  };
  if (is(3, 1))
    go.template operator()<depthwise_columns_kernel<T, 3, 1>>(kPack<T>, columns_at(1));
  else if (is(3, 2))
    go.template operator()<depthwise_columns_kernel<T, 3, 2>>(kPack<T>, columns_at(2));
  else if (is(5, 1))
    go.template operator()<depthwise_columns_kernel<T, 5, 1>>(kPack<T>, columns_at(1));
  else if (is(5, 2))
    go.template operator()<depthwise_columns_kernel<T, 5, 2>>(kPack<T>, columns_at(2));
  else if (packs)
    go.template operator()<depthwise_kernel<T, kPack<T>>>(kPack<T>, 1);
  else
    go.template operator()<depthwise_kernel<T, 1>>(1, 1);
}

template void depthwise_convolution<float>(Nhwc<const float>, const float*, const float*,
                                           const DepthwiseConvolution&, Nhwc<float>, Stream);
template void depthwise_convolution<Half>(Nhwc<const Half>, const Half*, const Half*,
                                          const DepthwiseConvolution&, Nhwc<Half>, Stream);
template void depthwise_convolution<BFloat16>(Nhwc<const BFloat16>, const BFloat16*, const BFloat16*,
                                              const DepthwiseConvolution&, Nhwc<BFloat16>, Stream);

}  // namespace tyto::kernels

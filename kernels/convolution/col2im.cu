// Columns to an image, by the output: a thread owns 16 bytes of channels of one output pixel and gathers from
// the input pixels whose windows reach it, so that nothing is added atomically.
//
// Cost: each column read once, each output written once; with stride = kernel one column an output. Bound by
// memory.
#include "kernels/convolution/col2im.h"

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/map_blocks.cuh"

namespace tyto::kernels {
namespace {

// The input's row that gives tap `tap` to the output's row `at`; negative: none does.
__device__ inline int giver(int at, int tap, int size, const Col2Im& p) {
  const int reach = at + p.padding - tap * p.dilation;
  return reach % p.stride == 0 && reach / p.stride < size ? reach / p.stride : -1;
}

template <class T, int N>
__global__ void __launch_bounds__(kMapBlock)
    col2im_kernel(const T* __restrict__ columns, const T* __restrict__ bias, MapSizes sizes, Col2Im params,
                  T* __restrict__ y) {
  const MapPosition position = position_on_map(sizes.channels / N);
  const int channel = position.pack * N;
  if (channel >= sizes.channels || position.column >= sizes.out_width || position.row >= sizes.out_height)
    return;
  const int taps = params.kernel * params.kernel;
  float sum[N] = {};
  if (bias) load<N>(bias + channel, sum);
  for (int r = 0; r < params.kernel; ++r) {
    const int h = giver(position.row, r, sizes.height, params);
    if (h < 0) continue;
    for (int s = 0; s < params.kernel; ++s) {
      const int w = giver(position.column, s, sizes.width, params);
      if (w < 0) continue;
      float v[N];
      load<N>(columns + (sizes.in(position.image, h, w) * taps + (r * params.kernel + s) * sizes.channels) +
                  channel,
              v);
#pragma unroll
      for (int i = 0; i < N; ++i) sum[i] += v[i];
    }
  }
  activate(sum, params.activation);
  store<N>(sum, y + sizes.out(position.image, position.row, position.column) + channel);
}

template <class T, int N>
void gather(Nhwc<const T> columns, const T* bias, const Col2Im& params, Nhwc<T> y, Stream stream) {
  checked_int(columns.elements(), "the columns of a transposed convolution");
  columns.channels = y.channels;
  launch<col2im_kernel<T, N>>(cover_map(y.channels / N, y.width, y.height, y.n, stream), columns.data, bias,
                              map_sizes(columns, y, "a map of a transposed convolution"), params, y.data);
}

}  // namespace

template <class T>
void col2im(Nhwc<const T> columns, const T* bias, const Col2Im& params, Nhwc<T> y, Stream stream) {
  if (packable<kPack<T>>(y.channels, columns.data, bias, y.data))
    gather<T, kPack<T>>(columns, bias, params, y, stream);
  else
    gather<T, 1>(columns, bias, params, y, stream);
}

template void col2im<float>(Nhwc<const float>, const float*, const Col2Im&, Nhwc<float>, Stream);
template void col2im<Half>(Nhwc<const Half>, const Half*, const Col2Im&, Nhwc<Half>, Stream);
template void col2im<BFloat16>(Nhwc<const BFloat16>, const BFloat16*, const Col2Im&, Nhwc<BFloat16>, Stream);

}  // namespace tyto::kernels

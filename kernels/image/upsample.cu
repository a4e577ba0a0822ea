// Nearest and bilinear resampling of channels-last maps: a thread owns 16 bytes of channels of one output
// pixel. Bound by memory as long as L1 serves neighbours' common inputs, which the blocks' shape sees to
// (kernels/common/map_blocks.cuh).
#include "kernels/image/upsample.h"

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/common/map_blocks.cuh"
#include "kernels/image/upsample_math.h"

namespace tyto::kernels {
namespace {

template <class T, int N>
__global__ void __launch_bounds__(kMapBlock)
    upsample_kernel(const T* __restrict__ x, MapSizes sizes, Upsampling mode, UpsampleSteps steps,
                    T* __restrict__ y) {
  const MapPosition position = position_on_map(sizes.channels / N);
  const int channel = position.pack * N;
  if (channel >= sizes.channels || position.column >= sizes.out_width || position.row >= sizes.out_height)
    return;
  const auto load_pixel = [&](int row, int column, float(&to)[N]) {
    load<N>(x + sizes.in(position.image, row, column) + channel, to);
  };
  float v[N];
  if (mode == Upsampling::Nearest) {
    load_pixel(nearest_cell(position.row, sizes.height, steps.y),
               nearest_cell(position.column, sizes.width, steps.x), v);
  } else {
    const BilinearTap down = upsample_tap(mode, position.row, sizes.height, steps.y);
    const BilinearTap across = upsample_tap(mode, position.column, sizes.width, steps.x);
    float top_right[N], bottom_left[N], bottom_right[N];
    load_pixel(down.first, across.first, v);
    load_pixel(down.first, across.second, top_right);
    load_pixel(down.second, across.first, bottom_left);
    load_pixel(down.second, across.second, bottom_right);
#pragma unroll
    for (int i = 0; i < N; ++i)
      v[i] = bilinear_blend(v[i], top_right[i], bottom_left[i], bottom_right[i], across.weight, down.weight);
  }
  store<N>(v, y + sizes.out(position.image, position.row, position.column) + channel);
}

}  // namespace

template <class T>
void upsample(Nhwc<const T> x, Upsampling mode, UpsampleSteps steps, Nhwc<T> y, Stream stream) {
  const MapSizes sizes = map_sizes(x, y, "a map of upsampling");
  const auto go = [&]<int N>() {
    launch<upsample_kernel<T, N>>(cover_map(x.channels / N, y.width, y.height, y.n, stream), x.data, sizes,
                                  mode, steps, y.data);
  };
  if (packable<kPack<T>>(x.channels, x.data, y.data))
    go.template operator()<kPack<T>>();
  else
    go.template operator()<1>();
}

template void upsample<float>(Nhwc<const float>, Upsampling, UpsampleSteps, Nhwc<float>, Stream);
template void upsample<Half>(Nhwc<const Half>, Upsampling, UpsampleSteps, Nhwc<Half>, Stream);
template void upsample<BFloat16>(Nhwc<const BFloat16>, Upsampling, UpsampleSteps, Nhwc<BFloat16>, Stream);

}  // namespace tyto::kernels

// Generalised-mean pooling over channels-last maps: the threads of a block share an image's pixels, each term
// is raised to the power as it is read (kernels/common/channel_columns.cuh), and the sum's root is taken at
// the end.
//
// Cost: each input read once. A power of 3 is two multiplications a value and bound by memory; any other is a
// powf, some twenty instructions a value, which an SM's arithmetic bounds in half precision.
#include "kernels/pooling/gem_pool.h"

#include "kernels/common/channel_columns.cuh"
#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/pooling/gem_pool_math.h"

namespace tyto::kernels {
namespace {

template <class T, int N>
__global__ void __launch_bounds__(kColumnBlock)
    gem_pool_kernel(const T* __restrict__ x, int area, int channels, float power, GemPool params,
                    T* __restrict__ y) {
  constexpr int kChannels = kColumnChannels<N>;
  TYTO_SHARED_ARRAY(float, partial, kColumnWarps* kChannels);
  const int chunks = (channels + kChannels - 1) / kChannels, thread = threadIdx.x;
  const int image = blockIdx.x / chunks, first = blockIdx.x % chunks * kChannels;
  const float total = column_reduce<Plus, N>(x + image * area * channels, area, channels, first, partial,
                                             [&](float v) { return gem_term(v, power, params); });
  if (thread >= kChannels || first + thread >= channels) return;
  y[image * channels + first + thread] =
      from_float<T>(gem_root(total / static_cast<float>(area), power, params));
}

template <class T, int N>
void pool(Nhwc<const T> x, float power, const GemPool& params, T* y, Stream stream) {
  checked_int(x.elements(), "a map of GeM pooling");
  launch<gem_pool_kernel<T, N>>(cover_columns<N>(x.n, x.channels, stream), x.data,
                                static_cast<int>(x.height * x.width), static_cast<int>(x.channels), power,
                                params, y);
}

}  // namespace

template <class T>
void gem_pool(Nhwc<const T> x, float power, const GemPool& params, T* y, Stream stream) {
  if (packable<kPack<T>>(x.channels, x.data))
    pool<T, kPack<T>>(x, power, params, y, stream);
  else
    pool<T, 1>(x, power, params, y, stream);
}

template void gem_pool<float>(Nhwc<const float>, float, const GemPool&, float*, Stream);
template void gem_pool<Half>(Nhwc<const Half>, float, const GemPool&, Half*, Stream);
template void gem_pool<BFloat16>(Nhwc<const BFloat16>, float, const GemPool&, BFloat16*, Stream);

}  // namespace tyto::kernels

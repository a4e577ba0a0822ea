// NHWC to NCHW through tiles of shared memory; both sides are coalesced. A single channel, or single pixels, are in
// both orders at once. Bound by memory.
#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/layout/channels_last.h"
#include "kernels/layout/tile.cuh"

namespace tyto::kernels {
namespace {

template <class T, class U>
__global__ void __launch_bounds__(kTile* kTileRows)
    channel_planes_kernel(const T* __restrict__ x, int channels, int area, U* __restrict__ planes) {
  TYTO_SHARED_ARRAY(float, tile, kTileWords);
  const TilePlace place = place_of_tile(channels, area);
  const int column = threadIdx.x, c = place.channel + column;
#pragma unroll
  for (int row = threadIdx.y; row < kTile; row += kTileRows) {
    const int p = place.pixel + row;
    if (c < channels && p < area)
      tile[row * (kTile + 1) + column] = as_float(x[(place.image * area + p) * channels + c]);
  }
  __syncthreads();
  const int pixel = place.pixel + column;
#pragma unroll
  for (int row = threadIdx.y; row < kTile; row += kTileRows) {
    const int channel = place.channel + row;
    if (channel < channels && pixel < area)
      planes[(place.image * channels + channel) * area + pixel] =
          from_float<U>(tile[column * (kTile + 1) + row]);
  }
}

}  // namespace

template <class T, class U>
void channel_planes(Nhwc<const T> x, U* planes, Stream stream) {
  if (checked_int(x.elements(), "activations") == 0) return;
  const int64_t area = x.height * x.width;
  if (x.channels == 1 || area == 1)
    convert(x.data, x.elements(), planes, stream);
  else
    launch<channel_planes_kernel<T, U>>(cover_tiles(x.n, x.channels, area, stream), x.data,
                                        static_cast<int>(x.channels), static_cast<int>(area), planes);
}

template void channel_planes<float, float>(Nhwc<const float>, float*, Stream);
template void channel_planes<Half, Half>(Nhwc<const Half>, Half*, Stream);
template void channel_planes<Half, float>(Nhwc<const Half>, float*, Stream);
template void channel_planes<BFloat16, BFloat16>(Nhwc<const BFloat16>, BFloat16*, Stream);
template void channel_planes<BFloat16, float>(Nhwc<const BFloat16>, float*, Stream);

}  // namespace tyto::kernels

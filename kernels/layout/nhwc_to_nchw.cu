// NHWC to NCHW through tiles of shared memory; both sides are coalesced. A single channel, or single pixels,
// are in both orders at once. Bound by memory.
#include "kernels/layout/nhwc_to_nchw.h"

#include "kernels/common/elements.cuh"
#include "kernels/common/launch.h"
#include "kernels/layout/convert.h"
#include "kernels/layout/tile.cuh"

namespace tyto::kernels {
namespace {

template <class T>
__global__ void __launch_bounds__(kTile* kTileRows)
    nhwc_to_nchw_kernel(const T* __restrict__ x, int channels, int area, T* __restrict__ planes) {
  TYTO_SHARED_ARRAY(float, tile, kTileWords);
  const TilePosition position = position_of_tile(channels, area);
  const int column = threadIdx.x, c = position.channel + column;
#pragma unroll
  for (int row = threadIdx.y; row < kTile; row += kTileRows) {
    const int p = position.pixel + row;
    if (c < channels && p < area)
      tile[row * (kTile + 1) + column] = as_float(x[(position.image * area + p) * channels + c]);
  }
  __syncthreads();
  const int pixel = position.pixel + column;
#pragma unroll
  for (int row = threadIdx.y; row < kTile; row += kTileRows) {
    const int channel = position.channel + row;
    if (channel < channels && pixel < area)
      planes[(position.image * channels + channel) * area + pixel] =
          from_float<T>(tile[column * (kTile + 1) + row]);
  }
}

}  // namespace

template <class T>
void nhwc_to_nchw(Nhwc<const T> x, T* planes, Stream stream) {
  if (checked_int(x.elements(), "activations") == 0) return;
  const int64_t area = x.height * x.width;
  if (x.channels == 1 || area == 1)
    convert(x.data, x.elements(), planes, stream);
  else
    launch<nhwc_to_nchw_kernel<T>>(cover_tiles(x.n, x.channels, area, stream), x.data,
                                   static_cast<int>(x.channels), static_cast<int>(area), planes);
}

template void nhwc_to_nchw<float>(Nhwc<const float>, float*, Stream);
template void nhwc_to_nchw<Half>(Nhwc<const Half>, Half*, Stream);
template void nhwc_to_nchw<BFloat16>(Nhwc<const BFloat16>, BFloat16*, Stream);

}  // namespace tyto::kernels

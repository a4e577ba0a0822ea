// NCHW to NHWC: the first thing that happens to an image.
//
// An image's 3 or 4 planes become 4 channels a pixel by one thread, which reads the planes beside its
// neighbours and writes the pixel at once. More channels are transposed through tiles of shared memory. Both
// sides are coalesced; bound by memory.
#include "kernels/common/computed.cuh"
#include "kernels/common/launch.h"
#include "kernels/layout/nchw_to_nhwc.h"
#include "kernels/layout/tile.cuh"

namespace tyto::kernels {
namespace {

constexpr int kBlock = 256;
constexpr int kFew = 4;

template <class From, class To>
__global__ void __launch_bounds__(kBlock)
    interleave_kernel(const From* __restrict__ planes, int channels, int n, int area, To* __restrict__ out) {
  const unsigned i = blockIdx.x * kBlock + threadIdx.x;
  if (i >= static_cast<unsigned>(n) * area) return;
  const int image = i / area, pixel = i % area;
  const From* from = planes + image * channels * area + pixel;
  float v[kFew];
#pragma unroll
  for (int c = 0; c < kFew; ++c) v[c] = c < channels ? as_float(from[c * area]) : 0.0f;
  store<kFew>(v, out + i * kFew);
}

template <class From, class To>
__global__ void __launch_bounds__(kTile* kTileRows)
    nchw_to_nhwc_kernel(const From* __restrict__ planes, int channels, int out_channels, int area,
                        To* __restrict__ out) {
  using C = Computed<From>;
  TYTO_SHARED_ARRAY(C, tile, kTileWords);
  const TilePosition position = position_of_tile(out_channels, area);
  const int column = threadIdx.x, pixel = position.pixel + column;
#pragma unroll
  for (int row = threadIdx.y; row < kTile; row += kTileRows) {
    const int c = position.channel + row;
    if (pixel < area)
      tile[row * (kTile + 1) + column] =
          c < channels ? computed(planes[(position.image * channels + c) * area + pixel]) : C(0);
  }
  __syncthreads();
  const int c = position.channel + column;
#pragma unroll
  for (int row = threadIdx.y; row < kTile; row += kTileRows) {
    const int p = position.pixel + row;
    if (c < out_channels && p < area)
      out[(position.image * area + p) * out_channels + c] = rounded_to<To>(tile[column * (kTile + 1) + row]);
  }
}

}  // namespace

template <class From, class To>
void nchw_to_nhwc(const From* planes, int64_t channels, Nhwc<To> out, Stream stream) {
  if (checked_int(out.elements(), "an image batch") == 0) return;
  const int n = static_cast<int>(out.n), area = static_cast<int>(out.height * out.width);
  if constexpr (!std::is_same_v<To, double>)
    if (out.channels == kFew && packable<kFew>(out.channels, out.data))
      return launch<interleave_kernel<From, To>>(
          {.grid = blocks_for(out.pixels(), kBlock), .block = kBlock, .stream = stream}, planes,
          static_cast<int>(channels), n, area, out.data);
  launch<nchw_to_nhwc_kernel<From, To>>(cover_tiles(n, out.channels, area, stream), planes,
                                        static_cast<int>(channels), static_cast<int>(out.channels), area,
                                        out.data);
}

template void nchw_to_nhwc<double, double>(const double*, int64_t, Nhwc<double>, Stream);
template void nchw_to_nhwc<float, float>(const float*, int64_t, Nhwc<float>, Stream);
template void nchw_to_nhwc<float, Half>(const float*, int64_t, Nhwc<Half>, Stream);
template void nchw_to_nhwc<float, BFloat16>(const float*, int64_t, Nhwc<BFloat16>, Stream);
template void nchw_to_nhwc<Half, Half>(const Half*, int64_t, Nhwc<Half>, Stream);
template void nchw_to_nhwc<BFloat16, BFloat16>(const BFloat16*, int64_t, Nhwc<BFloat16>, Stream);

}  // namespace tyto::kernels

// Homography warp over channels-last images: a thread owns 16 bytes of channels of one output pixel, finds
// its place and reads its cells. Bound by memory, as grid_sample (kernels/image/grid_sample.cu), without
// positions to be read: a pixel's two quotients and twelve products are a quarter of what its cells cost.
#include "kernels/bev/homography_warp.h"

#include "kernels/bev/homography_warp_math.h"
#include "kernels/common/launch.h"
#include "kernels/common/map_blocks.cuh"
#include "kernels/image/sample_cells.cuh"

namespace tyto::kernels {
namespace {

template <class T, int N>
__global__ void __launch_bounds__(kMapBlock)
    homography_warp_kernel(const T* __restrict__ x, const Computed<T>* __restrict__ homographies, int count,
                           MapSizes sizes, HomographyWarp warp, T* __restrict__ y) {
  const MapPosition at = position_on_map(sizes.channels / N);
  const int channel = at.pack * N;
  if (channel >= sizes.channels || at.column >= sizes.out_width || at.row >= sizes.out_height) return;
  Computed<T> sum[N] = {};
  AxisCells<Computed<T>> rows, columns;
  if (locate_warped(homographies + 9 * (at.image % count), warp,
                    {sizes.height, sizes.width, sizes.out_height, sizes.out_width}, at.row, at.column, rows,
                    columns))
    add_cells<N>(x + sizes.in(at.image, 0, 0) + channel, sizes.width, sizes.channels, cells_of(warp), rows,
                 columns, sum);
  store_computed<N>(sum, y + sizes.out(at.image, at.row, at.column) + channel);
}

}  // namespace

template <class T>
void homography_warp(const Nhwc<const T>& x, const Computed<T>* homographies, int64_t count,
                     const HomographyWarp& warp, const Nhwc<T>& y, Stream stream) {
  const MapSizes sizes = map_sizes(x, y, "an image of a homography warp");
  const auto go = [&]<int N>() {
    LaunchConfig config = cover_map(x.channels / N, y.width, y.height, y.n, stream);
    config.work.operations = 2.0 * cells_of(warp) * cells_of(warp) * static_cast<double>(y.elements());
    launch<homography_warp_kernel<T, N>>(config, x.data, homographies,
                                         checked_int(count, "a number of homographies"), sizes, warp, y.data);
  };
  if constexpr (kSamplePack < T >> 1)
    if (packable<kSamplePack<T>>(x.channels, x.data, y.data)) return go.template operator()<kSamplePack<T>>();
  go.template operator()<1>();
}

#define TYTO_OF(T)                                                                                        \
  template void homography_warp(const Nhwc<const T>&, const Computed<T>*, int64_t, const HomographyWarp&, \
                                const Nhwc<T>&, Stream);
TYTO_OF(double)
TYTO_OF(float)
TYTO_OF(Half)
TYTO_OF(BFloat16)
#undef TYTO_OF

}  // namespace tyto::kernels

// grid_sample over channels-last maps: a thread owns 16 bytes of channels of one output pixel, finds its
// cells and reads them. Bound by memory as long as L1 serves neighbours' common cells, which the blocks'
// shape sees to where neighbours in the result are neighbours in the map (kernels/common/map_blocks.cuh).
//
// Cost of a 128 x 128 x 64 map in fp16: 2.1 MB read, 2.1 MB written, 0.13 MB of positions; 8 operations a
// value for bilinear samples.
#include "kernels/image/grid_sample.h"

#include "kernels/common/launch.h"
#include "kernels/common/map_blocks.cuh"
#include "kernels/image/sample_cells.cuh"

namespace tyto::kernels {
namespace {

template <class T, int N>
__global__ void __launch_bounds__(kMapBlock)
    grid_sample_kernel(const T* __restrict__ x, const Pack<Computed<T>, 2>* __restrict__ grid, MapSizes sizes,
                       GridSample how, T* __restrict__ y) {
  const MapPosition at = position_on_map(sizes.channels / N);
  const int channel = at.pack * N;
  if (channel >= sizes.channels || at.column >= sizes.out_width || at.row >= sizes.out_height) return;
  const int to = sizes.out(at.image, at.row, at.column);
  Pack<Computed<T>, 2> place;
  copy_pack(grid[to / sizes.channels], place);
  Computed<T> sum[N] = {};
  const auto rows =
      cells_at(cell_of_unit(place.values[1], sizes.height, how.align_corners), sizes.height, how);
  const auto columns =
      cells_at(cell_of_unit(place.values[0], sizes.width, how.align_corners), sizes.width, how);
  add_cells<N>(x + sizes.in(at.image, 0, 0) + channel, sizes.width, sizes.channels,
               cells_of(how.interpolation), rows, columns, sum);
  store_computed<N>(sum, y + to + channel);
}

}  // namespace

template <class T>
void grid_sample(const Nhwc<const T>& x, const Computed<T>* grid, const GridSample& how, const Nhwc<T>& y,
                 Stream stream) {
  const MapSizes sizes = map_sizes(x, y, "a map of grid_sample");
  const auto go = [&]<int N>() {
    LaunchConfig config = cover_map(x.channels / N, y.width, y.height, y.n, stream);
    const int cells = cells_of(how.interpolation);
    config.work.operations = 2.0 * cells * cells * static_cast<double>(y.elements());
    launch<grid_sample_kernel<T, N>>(config, x.data, reinterpret_cast<const Pack<Computed<T>, 2>*>(grid),
                                     sizes, how, y.data);
  };
  if constexpr (kSamplePack < T >> 1)
    if (packable<kSamplePack<T>>(x.channels, x.data, y.data)) return go.template operator()<kSamplePack<T>>();
  go.template operator()<1>();
}

#define TYTO_OF(T)                                                                                       \
  template void grid_sample(const Nhwc<const T>&, const Computed<T>*, const GridSample&, const Nhwc<T>&, \
                            Stream);
TYTO_OF(double)
TYTO_OF(float)
TYTO_OF(Half)
TYTO_OF(BFloat16)
#undef TYTO_OF

}  // namespace tyto::kernels

// RoI max pooling over channels-last maps: a group of up to 32 threads owns a bin of a region, finds its
// cells and walks them, a pack of channels a thread, as often as it takes to serve all channels.
//
// Cost for 300 regions on a map of 37 x 62 x 512: the features are written once, 30 MB in fp32, the map, of
// 4.7 MB, is read from L2 some ten times a bin; one comparison a value read. A warp's reads of a cell are 512
// bytes side by side.
#include "kernels/detection/roi_pool.h"

#include <cfloat>

#include "kernels/detection/roi_maps.cuh"
#include "kernels/detection/roi_pool_math.h"

namespace tyto::kernels {
namespace {

template <class T, int N, bool kArgmax>
__global__ void __launch_bounds__(kRoiBlock)
    roi_pool_kernel(RoiMaps<const T> maps, Rois rois, int height, int width, T* __restrict__ features,
                    int32_t* __restrict__ argmax) {
  const int index = bin_of_group(), bin = index % (height * width), row = index / (height * width);
  if (row >= rois.total()) return;
  const int level = rois.holds(row) ? roi_level(rois.box(row), maps.bounds) : -1;
  CellRange rows = {0, 0}, columns = {0, 0};
  int map_width = 0;
  const T* map = nullptr;
  if (level >= 0) {
    const Box box = rois.box(row);
    const float scale = maps.scale[level];
    map = maps.image(level, rois.image(row));
    map_width = maps.width[level];
    rows = cells_of_bin(pool_axis(box.y1, box.y2, scale, height), bin / width, maps.height[level]);
    columns = cells_of_bin(pool_axis(box.x1, box.x2, scale, width), bin % width, map_width);
  }
  const bool is_empty = rows.end <= rows.begin || columns.end <= columns.begin;
  for (int channel = threadIdx.x * N; channel < maps.channels; channel += blockDim.x * N) {
    float best[N];
    int32_t where[N];
#pragma unroll
    for (int i = 0; i < N; ++i) {
      best[i] = is_empty ? 0.0f : -FLT_MAX;
      where[i] = -1;
    }
    for (int y = rows.begin; y < rows.end; ++y)
      for (int x = columns.begin; x < columns.end; ++x) {
        const int cell = y * map_width + x;
        float v[N];
        load<N>(map + cell * maps.channels + channel, v);
#pragma unroll
        for (int i = 0; i < N; ++i) {
          const bool more = v[i] > best[i];
          best[i] = more ? v[i] : best[i];
          where[i] = more ? cell : where[i];
        }
      }
    const int64_t to = int64_t{index} * maps.channels + channel;
    store<N>(best, features + to);
    if constexpr (kArgmax) {
      constexpr int kAtOnce = N < 4 ? N : 4;
#pragma unroll
      for (int first = 0; first < N; first += kAtOnce) {
        Pack<int32_t, kAtOnce> pack;
#pragma unroll
        for (int i = 0; i < kAtOnce; ++i) pack.values[i] = where[first + i];
        copy_pack(pack, *reinterpret_cast<decltype(pack)*>(argmax + to + first));
      }
    }
  }
}

}  // namespace

template <class T>
void roi_pool(std::span<const Nhwc<const T>> maps, const Rois& rois, const RoiPool& params,
              const Nhwc<T>& features, int32_t* argmax, Stream stream) {
  const RoiMaps<const T> levels = roi_maps(maps, params.levels);
  const auto go = [&]<auto kernel>(int pack) {
    launch<kernel>(cover_bins(rois, params.height * params.width, features.channels / pack, stream), levels,
                   rois, params.height, params.width, features.data, argmax);
  };
  constexpr int N = kPack<T>;
  const bool packs = roi_packable<N, T>(levels, features.data) && packable<4>(4, argmax);
  if (packs && argmax)
    go.template operator()<roi_pool_kernel<T, N, true>>(N);
  else if (packs)
    go.template operator()<roi_pool_kernel<T, N, false>>(N);
  else if (argmax)
    go.template operator()<roi_pool_kernel<T, 1, true>>(1);
  else
    go.template operator()<roi_pool_kernel<T, 1, false>>(1);
}

template void roi_pool(std::span<const Nhwc<const float>>, const Rois&, const RoiPool&, const Nhwc<float>&,
                       int32_t*, Stream);
template void roi_pool(std::span<const Nhwc<const Half>>, const Rois&, const RoiPool&, const Nhwc<Half>&,
                       int32_t*, Stream);
template void roi_pool(std::span<const Nhwc<const BFloat16>>, const Rois&, const RoiPool&,
                       const Nhwc<BFloat16>&, int32_t*, Stream);

}  // namespace tyto::kernels

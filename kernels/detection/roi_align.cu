// RoIAlign over channels-last maps: a group of up to 32 threads owns a bin of a region and walks its samples,
// a pack of channels a thread, as often as it takes to serve all channels.
//
// Cost for 300 regions on a map of 37 x 62 x 512, four samples a bin: the features are written once, 30 MB in
// fp32; sixteen reads from L1 or L2 and 32 operations a value. A warp's reads of a cell are 512 bytes side by
// side.
#include "kernels/detection/roi_align.h"

#include "kernels/detection/roi_align_math.h"
#include "kernels/detection/roi_maps.cuh"

namespace tyto::kernels {
namespace {

template <class T, int N>
__global__ void __launch_bounds__(kRoiBlock)
    roi_align_kernel(RoiMaps<const T> maps, Rois rois, RoiAlign params, T* __restrict__ features) {
  const int index = bin_of_group(), bin = index % (params.height * params.width),
            row = index / (params.height * params.width);
  if (row >= rois.total()) return;
  const int level = rois.holds(row) ? roi_level(rois.box(row), maps.bounds) : -1;
  AlignAxis rows = {0, 0, 0}, columns = {0, 0, 0};
  int map_height = 0, map_width = 0;
  const T* map = nullptr;
  if (level >= 0) {
    const Box box = rois.box(row);
    const float scale = maps.scale[level];
    map = maps.image(level, rois.image(row));
    map_height = maps.height[level];
    map_width = maps.width[level];
    rows = align_axis(box.y1, box.y2, scale, params.height, params);
    columns = align_axis(box.x1, box.x2, scale, params.width, params);
  }
  const float count = samples_of_bin(rows, columns);
  for (int channel = threadIdx.x * N; channel < maps.channels; channel += blockDim.x * N) {
    float sum[N] = {};
    for (int i = 0; i < rows.samples; ++i) {
      AlignTap y;
      if (!align_tap(rows, bin / params.width, i, map_height, y)) continue;
      for (int k = 0; k < columns.samples; ++k) {
        AlignTap x;
        if (!align_tap(columns, bin % params.width, k, map_width, x)) continue;
        const auto read = [&](int at_row, int at_column, float(&v)[N]) {
          load<N>(map + (at_row * map_width + at_column) * maps.channels + channel, v);
        };
        float v1[N], v2[N], v3[N], v4[N];
        read(y.low, x.low, v1);
        read(y.low, x.high, v2);
        read(y.high, x.low, v3);
        read(y.high, x.high, v4);
        const float w1 = y.weight_low * x.weight_low, w2 = y.weight_low * x.weight_high,
                    w3 = y.weight_high * x.weight_low, w4 = y.weight_high * x.weight_high;
#pragma unroll
        for (int l = 0; l < N; ++l) sum[l] += w1 * v1[l] + w2 * v2[l] + w3 * v3[l] + w4 * v4[l];
      }
    }
#pragma unroll
    for (int l = 0; l < N; ++l) sum[l] /= count;
    store<N>(sum, features + int64_t{index} * maps.channels + channel);
  }
}

}  // namespace

template <class T>
void roi_align(std::span<const Nhwc<const T>> maps, const Rois& rois, const RoiAlign& params,
               const Nhwc<T>& features, Stream stream) {
  const RoiMaps<const T> levels = roi_maps(maps, params.levels);
  const auto go = [&]<auto kernel>(int pack) {
    LaunchConfig config = cover_bins(rois, params.height * params.width, features.channels / pack, stream);
    // A sample is four cells, each weighed and added. How many a bin has where they are one a cell, boxes
    // tell that only the device knows: then nothing is stated.
    config.work.operations =
        4.0 * params.sampling_ratio * params.sampling_ratio * static_cast<double>(features.elements());
    launch<kernel>(config, levels, rois, params, features.data);
  };
  constexpr int N = kPack<T>;
  if (roi_packable<N, T>(levels, features.data))
    go.template operator()<roi_align_kernel<T, N>>(N);
  else
    go.template operator()<roi_align_kernel<T, 1>>(1);
}

template void roi_align(std::span<const Nhwc<const float>>, const Rois&, const RoiAlign&, const Nhwc<float>&,
                        Stream);
template void roi_align(std::span<const Nhwc<const Half>>, const Rois&, const RoiAlign&, const Nhwc<Half>&,
                        Stream);
template void roi_align(std::span<const Nhwc<const BFloat16>>, const Rois&, const RoiAlign&,
                        const Nhwc<BFloat16>&, Stream);

}  // namespace tyto::kernels

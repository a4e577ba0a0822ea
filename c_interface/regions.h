// What the functions of regions of interest have in common.
#pragma once

#include <cfloat>

#include <tyto_operators.h>

#include "c_interface/staging.h"
#include "kernels/common/channel_blocks.h"
#include "kernels/common/nhwc.h"
#include "kernels/detection/roi_levels.h"
#include "kernels/detection/rois.h"

namespace tyto::c_interface {

template <class Desc>
bool channels_first(const Desc& d) {
  return d.layout == TYTO_OPERATORS_CHANNELS_FIRST;
}

template <class Desc>
void check_region_sizes(const Desc& d, const Arguments& a) {
  a.size("images", d.images);
  a.size("channels", d.channels, 1);
  a.size("height", d.height, 1);
  a.size("width", d.width, 1);
  a.size("regions", d.regions);
  a.size("rows", d.rows, 1);
  a.size("columns", d.columns, 1);
  a.below("images", {d.images});
  a.below("height * width * channels", {d.height, d.width, d.channels});
  // Blocks of 256 threads cover them.
  a.below("regions * rows * columns", {d.regions, d.rows, d.columns}, kIndexed - 256);
  if (d.device == TYTO_ON_CUDA) {
    a.below("images * (height / 8 + 1) * (width / 8 + 1) * (channels / 64 + 1)",
            {d.images, d.height / 8 + 1, d.width / 8 + 1, d.channels / 64 + 1});
    if (channels_first(d)) {
      a.below("images * height * width * channels", {d.images, d.height, d.width, d.channels});
      a.below("regions * rows * columns * channels", {d.regions, d.rows, d.columns, d.channels});
    }
  }
}
template <class Desc>
void check_region_options(const Desc& d, const Arguments& a) {
  a.choice("layout", d.layout, 2);
  a.positive("spatial_scale", d.spatial_scale);
  a.number("spatial_scale", d.spatial_scale, FLT_MIN, FLT_MAX);
}

template <class Desc>
kernels::Rois rois_of(const Desc& d) {
  return {.rows = d.rois, .stride = 5, .n = d.images, .capacity = d.regions, .numbered = true};
}
template <class Desc>
kernels::RoiLevels levels_of(const Desc& d) {
  return {.scales = {static_cast<float>(d.spatial_scale)}};
}

// On the CPU kernels take either layout, and only halves are brought to float.
template <class Desc>
Planes maps_of(const Desc& d, bool cuda) {
  return {d.images, d.channels, d.height * d.width, cuda && channels_first(d)};
}
template <class Desc>
Planes features_of(const Desc& d, bool cuda) {
  return {d.regions, d.channels, d.rows * d.columns, cuda && channels_first(d)};
}

template <class Desc, class T>
kernels::ChannelBlocks<T> blocks(const Desc& d, T* data, int64_t n, int64_t height, int64_t width) {
  const int64_t area = height * width;
  const bool first = channels_first(d);
  return {data,
          n,
          d.channels,
          height,
          width,
          first ? 1 : d.channels,
          area * d.channels,
          area * (first ? 1 : d.channels)};
}
template <class Desc, class T>
kernels::ChannelBlocks<T> map_blocks(const Desc& d, T* data) {
  return blocks(d, data, d.images, d.height, d.width);
}
template <class Desc, class T>
kernels::ChannelBlocks<T> feature_blocks(const Desc& d, T* data) {
  return blocks(d, data, d.regions, d.rows, d.columns);
}
template <class Desc, class T>
kernels::Nhwc<T> map_nhwc(const Desc& d, T* data) {
  return {data, d.images, d.height, d.width, d.channels};
}
template <class Desc, class T>
kernels::Nhwc<T> feature_nhwc(const Desc& d, T* data) {
  return {data, d.regions, d.rows, d.columns, d.channels};
}

}  // namespace tyto::c_interface

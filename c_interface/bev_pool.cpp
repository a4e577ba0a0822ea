#include "kernels/bev/bev_pool.h"

#include <tyto_bev.h>

#include "c_interface/frame.h"

namespace tyto::c_interface {
namespace {

// What both descriptors have.

template <class Desc>
int64_t depth_stride(const Desc& d) {
  return d.depth_stride == 0 || d.depth_bins == TYTO_BEV_BINS_FIRST ? d.bins : d.depth_stride;
}
template <class Desc>
int64_t feature_stride(const Desc& d) {
  return d.feature_stride == 0 ? d.channels : d.feature_stride;
}

template <class Desc>
void check_sizes(const Desc& d, const Arguments& a) {
  a.size("samples", d.samples);
  a.size("cameras", d.cameras, 1);
  a.size("bins", d.bins, 1);
  a.size("height", d.height, 1);
  a.size("width", d.width, 1);
  a.size("channels", d.channels, 1);
  a.below("height", {d.height}, 65536);
  a.below("width", {d.width}, 65536);
  a.below("cameras * bins * height * width", {d.cameras, d.bins, d.height, d.width});
  a.size("rows", d.rows, 1);
  a.size("columns", d.columns, 1);
  a.size("levels", d.levels, 1);
  a.below("rows * columns * levels", {d.rows, d.columns, d.levels});
  a.below("levels * channels", {d.levels, d.channels});
  if (d.depth_stride != 0) a.size("depth_stride", d.depth_stride, d.bins);
  if (d.feature_stride != 0) a.size("feature_stride", d.feature_stride, d.channels);
  a.elements("depth", d.depth, {d.samples, d.cameras, d.height, d.width, depth_stride(d)});
  a.elements("features", d.features, {d.samples, d.cameras, d.height, d.width, feature_stride(d)});
  a.integers("cell_starts", d.cell_starts, {d.samples, d.rows * d.columns * d.levels + 1});
  a.array("runs", d.runs, {d.samples, d.cameras, d.bins, d.height, d.width, 2}, sizeof(int32_t), 2);
}
template <class Desc>
void check_options(const Desc& d, const Arguments& a) {
  a.choice("reduction", d.reduction, 3);
  a.flag("logits", d.logits);
  a.choice("depth_bins", d.depth_bins, 2);
  a.choice("layout", d.layout, 2);
}

template <class Desc>
kernels::BevPool pool_of(const Desc& d) {
  return {
      .frustum = {.height = static_cast<int>(d.height),
                  .width = static_cast<int>(d.width),
                  .bins = static_cast<int>(d.bins)},
      .grid = {.cells = {static_cast<int>(d.rows), static_cast<int>(d.columns), static_cast<int>(d.levels)}},
      .reduction = static_cast<kernels::BevReduction>(d.reduction),
      .logits = d.logits != 0};
}
template <class E, class Desc, class P>
kernels::LiftedMaps<E> maps_of(const Desc& d, P* depth, P* features) {
  return {static_cast<E*>(depth),
          d.depth_bins == TYTO_BEV_BINS_FIRST ? kernels::DepthBins::First : kernels::DepthBins::Last,
          depth_stride(d),
          static_cast<E*>(features),
          feature_stride(d),
          d.samples,
          d.cameras,
          d.channels};
}
template <class E, class Desc, class P>
kernels::ChannelBlocks<E> grid_of(const Desc& d, P* data) {
  const int64_t channels = d.levels * d.channels, area = d.rows * d.columns;
  const bool last = d.layout == TYTO_BEV_CHANNELS_LAST;
  return {static_cast<E*>(data),
          d.samples,
          channels,
          d.rows,
          d.columns,
          last ? channels : 1,
          area * channels,
          area * (last ? channels : 1)};
}
template <class Desc>
const kernels::BevRun* runs_of(const Desc& d) {
  return reinterpret_cast<const kernels::BevRun*>(d.runs);
}

struct BevPool {
  using Desc = tyto_bev_pool_desc;
  static constexpr const char* kName = "tyto_bev_pool";

  static Desc defaults() { return {.logits = 1}; }
  static void check(const Desc& d, const Arguments& a) {
    check_sizes(d, a);
    a.elements("out", d.out, {d.samples, d.rows, d.columns, d.levels * d.channels});
    a.optional("winners", d.winners, {d.samples, d.rows, d.columns, d.levels * d.channels},
               sizeof *d.winners);
    check_options(d, a);
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(bev_pool, T, pool_of(d), d.samples, d.cameras, d.channels);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    const kernels::BevIndex index{d.cell_starts, runs_of(d), nullptr};
    int32_t* const winners = d.reduction == TYTO_BEV_MAX ? d.winners : nullptr;
    TYTO_EITHER(bev_pool, T, maps_of<const T>(d, d.depth, d.features), index, pool_of(d),
                grid_of<T>(d, d.out), winners);
  }
};

struct BevPoolBackward {
  using Desc = tyto_bev_pool_backward_desc;
  static constexpr const char* kName = "tyto_bev_pool_backward";

  static Desc defaults() { return {.logits = 1}; }
  static void check(const Desc& d, const Arguments& a) {
    check_sizes(d, a);
    if (d.device == TYTO_ON_CUDA)
      a.number("bins", static_cast<double>(d.bins), 1, kernels::kMostBackwardBins);
    a.integers("cells", d.cells, {d.samples, d.cameras, d.bins, d.height, d.width});
    const auto winners = {d.samples, d.rows, d.columns, d.levels * d.channels};
    if (d.reduction == TYTO_BEV_MAX)
      a.integers("winners", d.winners, winners);
    else
      a.optional("winners", d.winners, winners, sizeof *d.winners);
    a.elements("out_gradient", d.out_gradient, {d.samples, d.rows, d.columns, d.levels * d.channels});
    a.gradient("depth_gradient", d.depth_gradient,
               {d.samples, d.cameras, d.height, d.width, depth_stride(d)});
    a.gradient("features_gradient", d.features_gradient,
               {d.samples, d.cameras, d.height, d.width, feature_stride(d)});
    check_options(d, a);
  }
  template <class T>
  static int64_t workspace(const Desc& d, bool cuda) {
    return TYTO_EITHER_WORKSPACE(bev_pool_backward, T, pool_of(d), d.samples, d.cameras, d.channels);
  }
  template <class T>
  static void run(const Desc& d, const Call& call) {
    const kernels::BevIndex index{d.cell_starts, runs_of(d), d.cells};
    TYTO_EITHER(bev_pool_backward, T, maps_of<const T>(d, d.depth, d.features), index, pool_of(d),
                grid_of<const T>(d, d.out_gradient), d.winners,
                maps_of<T>(d, d.depth_gradient, d.features_gradient));
  }
};

}  // namespace
}  // namespace tyto::c_interface

TYTO_C_FUNCTIONS(tyto_bev_pool, tyto::c_interface::BevPool)
TYTO_C_FUNCTIONS(tyto_bev_pool_backward, tyto::c_interface::BevPoolBackward)

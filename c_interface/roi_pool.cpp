#include "kernels/detection/roi_pool.h"

#include <tyto_operators.h>

#include "c_interface/regions.h"

namespace tyto::c_interface {
namespace {

template <class Desc>
kernels::RoiPool pool_of(const Desc& d) {
  return {.height = static_cast<int>(d.rows), .width = static_cast<int>(d.columns), .levels = levels_of(d)};
}

struct RoiPool : StagedFunction<RoiPool> {
  using Desc = tyto_roi_pool_desc;
  static constexpr const char* kName = "tyto_roi_pool";

  static Desc defaults() { return {.spatial_scale = 1}; }
  static void check(const Desc& d, const Arguments& a) {
    check_region_options(d, a);
    check_region_sizes(d, a);
    a.elements("maps", d.maps, {d.images, d.height, d.width, d.channels});
    a.array("rois", d.rois, {d.regions, 5}, sizeof *d.rois);
    a.elements("features", d.features, {d.regions, d.rows, d.columns, d.channels});
    a.optional("argmax", d.argmax, {d.regions, d.rows, d.columns, d.channels}, sizeof *d.argmax);
  }
  // argmax is as the kernels write it: beside features that are turned it stays as it is.
  template <class T>
  static void compute(const Desc& d, Staging& s) {
#ifdef TYTO_C_INTERFACE_CUDA
    if (s.cuda()) {
      const kernels::Nhwc<const T> maps =
          map_nhwc(d, s.in<T>(static_cast<const T*>(d.maps), maps_of(d, true)));
      const auto features = s.out<T>(static_cast<T*>(d.features), features_of(d, true));
      if (s.measures()) return;
      kernels::roi_pool<T>({{maps}}, rois_of(d), pool_of(d), feature_nhwc(d, features.at), d.argmax,
                           s.stream());
      return s.deliver(features);
    }
#endif
    const auto maps = map_blocks(d, s.in<float>(static_cast<const T*>(d.maps), maps_of(d, false)));
    const auto features = s.out<float>(static_cast<T*>(d.features), features_of(d, false));
    if (s.measures()) return;
    kernels::roi_pool_cpu({{maps}}, rois_of(d), pool_of(d), feature_blocks(d, features.at), d.argmax);
    s.deliver(features);
  }
};

struct RoiPoolBackward : StagedFunction<RoiPoolBackward> {
  using Desc = tyto_roi_pool_backward_desc;
  static constexpr const char* kName = "tyto_roi_pool_backward";

  static Desc defaults() { return {.spatial_scale = 1}; }
  static void check(const Desc& d, const Arguments& a) {
    check_region_options(d, a);
    check_region_sizes(d, a);
    a.array("rois", d.rois, {d.regions, 5}, sizeof *d.rois);
    a.integers("argmax", d.argmax, {d.regions, d.rows, d.columns, d.channels});
    a.elements("features_gradient", d.features_gradient, {d.regions, d.rows, d.columns, d.channels});
    a.elements("maps_gradient", d.maps_gradient, {d.images, d.height, d.width, d.channels});
  }
  template <class T>
  static void compute(const Desc& d, Staging& s) {
    const auto gradient = s.in<float>(static_cast<const T*>(d.features_gradient), features_of(d, s.cuda()));
    const auto maps = s.out<float>(static_cast<T*>(d.maps_gradient), maps_of(d, s.cuda()));
    if (s.measures()) return;
#ifdef TYTO_C_INTERFACE_CUDA
    if (s.cuda()) {
      kernels::roi_pool_backward(feature_nhwc(d, gradient), d.argmax, rois_of(d), pool_of(d),
                                 {{map_nhwc(d, maps.at)}}, s.stream());
      return s.deliver(maps);
    }
#endif
    kernels::roi_pool_backward_cpu(feature_blocks(d, gradient), d.argmax, rois_of(d), pool_of(d),
                                   {{map_blocks(d, maps.at)}});
    s.deliver(maps);
  }
};

}  // namespace
}  // namespace tyto::c_interface

TYTO_C_FUNCTIONS(tyto_roi_pool, tyto::c_interface::RoiPool)
TYTO_C_FUNCTIONS(tyto_roi_pool_backward, tyto::c_interface::RoiPoolBackward)

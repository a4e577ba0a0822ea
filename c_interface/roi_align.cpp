#include "kernels/detection/roi_align.h"

#include <tyto_operators.h>

#include "c_interface/regions.h"

namespace tyto::c_interface {
namespace {

template <class Desc>
void check_options(const Desc& d, const Arguments& a) {
  check_region_options(d, a);
  a.number("sampling_ratio", d.sampling_ratio, 0, kernels::kMaxSamples);
  a.flag("aligned", d.aligned);
}
template <class Desc>
kernels::RoiAlign align_of(const Desc& d) {
  return {.height = static_cast<int>(d.rows),
          .width = static_cast<int>(d.columns),
          .sampling_ratio = d.sampling_ratio,
          .aligned = d.aligned != 0,
          .levels = levels_of(d)};
}

struct RoiAlign : StagedFunction<RoiAlign> {
  using Desc = tyto_roi_align_desc;
  static constexpr const char* kName = "tyto_roi_align";

  static Desc defaults() { return {.spatial_scale = 1}; }
  static void check(const Desc& d, const Arguments& a) {
    check_options(d, a);
    check_region_sizes(d, a);
    a.elements("maps", d.maps, {d.images, d.height, d.width, d.channels});
    a.array("rois", d.rois, {d.regions, 5}, sizeof *d.rois);
    a.elements("features", d.features, {d.regions, d.rows, d.columns, d.channels});
  }
  template <class T>
  static void compute(const Desc& d, Staging& s) {
#ifdef TYTO_C_INTERFACE_CUDA
    if (s.cuda()) {
      const kernels::Nhwc<const T> maps =
          map_nhwc(d, s.in<T>(static_cast<const T*>(d.maps), maps_of(d, true)));
      const auto features = s.out<T>(static_cast<T*>(d.features), features_of(d, true));
      if (s.measures()) return;
      kernels::roi_align<T>({{maps}}, rois_of(d), align_of(d), feature_nhwc(d, features.at), s.stream());
      return s.deliver(features);
    }
#endif
    const auto maps = map_blocks(d, s.in<float>(static_cast<const T*>(d.maps), maps_of(d, false)));
    const auto features = s.out<float>(static_cast<T*>(d.features), features_of(d, false));
    if (s.measures()) return;
    kernels::roi_align_cpu({{maps}}, rois_of(d), align_of(d), feature_blocks(d, features.at));
    s.deliver(features);
  }
};

struct RoiAlignBackward : StagedFunction<RoiAlignBackward> {
  using Desc = tyto_roi_align_backward_desc;
  static constexpr const char* kName = "tyto_roi_align_backward";

  static Desc defaults() { return {.spatial_scale = 1}; }
  static void check(const Desc& d, const Arguments& a) {
    check_options(d, a);
    check_region_sizes(d, a);
    a.array("rois", d.rois, {d.regions, 5}, sizeof *d.rois);
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
      kernels::roi_align_backward(feature_nhwc(d, gradient), rois_of(d), align_of(d),
                                  {{map_nhwc(d, maps.at)}}, s.stream());
      return s.deliver(maps);
    }
#endif
    kernels::roi_align_backward_cpu(feature_blocks(d, gradient), rois_of(d), align_of(d),
                                    {{map_blocks(d, maps.at)}});
    s.deliver(maps);
  }
};

}  // namespace
}  // namespace tyto::c_interface

TYTO_C_FUNCTIONS(tyto_roi_align, tyto::c_interface::RoiAlign)
TYTO_C_FUNCTIONS(tyto_roi_align_backward, tyto::c_interface::RoiAlignBackward)

#include "kernels/bev/homography_warp_cases.h"

namespace tyto::kernels::warping {
namespace {

struct OnCpu {
  template <class T>
  std::vector<double> warp(const Case& c, const HomographyWarp& rule) const {
    const Shape& s = c.shape;
    const std::vector<Stored<T>> x = stored<T>(c.x);
    const std::vector<Computed<T>> homographies = sampling::computed_values<T>(c.homographies);
    std::vector<Stored<T>> y(static_cast<size_t>(s.outputs()));
    const auto view = [&]<class E>(E* data, int64_t height, int64_t width) {
      return ChannelBlocks<E>{
          data, s.n, s.channels, height, width, s.channels, height * width * s.channels, int64_t{0}};
    };
    homography_warp_cpu<T>(view(reinterpret_cast<const T*>(x.data()), s.height, s.width), homographies.data(),
                           c.count, rule, view(reinterpret_cast<T*>(y.data()), s.out_height, s.out_width));
    return doubles<T>(y);
  }
};

TEST(HomographyWarp, EqualsTheReference) {
  equals_the_reference<double>(OnCpu{});
  equals_the_reference<float>(OnCpu{});
  equals_the_reference<Half>(OnCpu{});
  equals_the_reference<BFloat16>(OnCpu{});
}

TEST(HomographyWarp, ARigsHomographiesServeAllSamples) { a_rigs_homographies_serve_all_samples(OnCpu{}); }

TEST(HomographyWarp, WhatLiesBehindIsHiddenOnRequest) { what_lies_behind_is_hidden_on_request(OnCpu{}); }

TEST(HomographyWarp, Cam2BevExtrapolatesBeforeTheImageAndLosesItsLastColumn) {
  cam2bev_extrapolates_before_the_image_and_loses_its_last_column(OnCpu{});
}

}  // namespace
}  // namespace tyto::kernels::warping

#include "kernels/bev/homography_warp_cases.h"

namespace tyto::kernels::warping {
namespace {

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

// Images seen through a homography: a plane of the world, the ground say, from another place.
#pragma once

#include <cstdint>

#include "kernels/common/channel_blocks.h"
#include "kernels/common/computed.h"
#include "kernels/common/element_types.h"
#include "kernels/common/nhwc.h"
#include "kernels/common/stream.h"
#include "kernels/image/grid_sample.h"

namespace tyto::kernels {

// Where a pixel of the result stands before the homography, and where that leads to behind it.
enum class WarpCoordinates : uint8_t {
  Pixels,   // (column, row) of pixels' centres, of both images
  Corners,  // -1 and 1 are the centres of the outermost pixels, of both: torch's affine_grid and grid_sample
            // with align_corners=True
  Edges,    // -1 and 1 are their outer edges, of both: align_corners=False
  Cam2Bev,  // the sampler of Reiher, Lampe and Eckstein's uNetXST (ITSC 2020): -1 and 1 are the centres of
            // the result's outermost pixels, but x of the image is (x + 1) / 2 * width, without half a pixel.
            // Four neighbours are its integer part toward zero and one more, both clamped to the image, and
            // so are what weights are computed of: within the last row or column, and beyond it, weights
            // cancel. Bilinear, whatever `interpolation` and `padding` say.
};

struct HomographyWarp {
  WarpCoordinates coordinates = WarpCoordinates::Pixels;
  Interpolation interpolation = Interpolation::Bilinear;
  SamplePadding padding = SamplePadding::Zeros;
  bool in_front_only = false;  // pixels for which w <= 0 are 0; else the sign of w is not looked at, which
                               // shows again, mirrored, what lies before the camera
  bool operator==(const HomographyWarp&) const = default;
};

// y[i, c, r, s] = x[i, c] at (u / w, v / w), (u, v, w) = H (column, row, 1). A position that is not finite is
// treated as grid_sample() does; Cam2Bev's is 0.
//
// T             double, float, Half, BFloat16
// x             [n, channels, height, width], height and width at least 1
// homographies  [count, 3, 3] row-major, from the result's pixels to the image's; image i takes i % count, so
//               that those of a rig serve all samples
// y             [n, channels, any height, any width], blocked as x is; must not overlap x
template <class T>
void homography_warp_cpu(const ChannelBlocks<const T>& x, const Computed<T>* homographies, int64_t count,
                         const HomographyWarp&, const ChannelBlocks<T>& y);

// The same on CUDA, the same bits. x.elements(), y.elements() < 2^31, else DeviceError.
template <class T>
void homography_warp(const Nhwc<const T>& x, const Computed<T>* homographies, int64_t count,
                     const HomographyWarp&, const Nhwc<T>& y, Stream);

}  // namespace tyto::kernels

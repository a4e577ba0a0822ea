// Homographies of inverse perspective mapping, by the conventions of Cam2BEV (Reiher, Lampe and Eckstein,
// ITSC 2020): from a camera's pixels to pixels of the ground seen from above, and what its networks'
// samplers take. Host code; row-major; in double.
#pragma once

#include <array>

namespace tyto::kernels {

using Homography = std::array<double, 9>;

// Vehicle axes x forward, y left, z up; the ground is z = 0. Without rotation the camera looks along x.
struct IpmCamera {
  double focal_x = 1, focal_y = 1;    // pixels
  double center_x = 0, center_y = 0;  // the principal point, pixels
  // Radians. The camera turns by yaw about z, then by pitch about y, then by roll about x, axes being the
  // vehicle's: a positive yaw looks left, a positive pitch down.
  double yaw = 0, pitch = 0, roll = 0;
  double position[3] = {0, 0, 0};  // metres
};

// The picture of the ground: x points to the right, y up. Pixel (column, row) is the place
// x = (column - column_0) / pixels_per_metre_x, y = (row_0 - row) / pixels_per_metre_y.
struct GroundPicture {
  int width = 0, height = 0;  // pixels
  double pixels_per_metre_x = 1, pixels_per_metre_y = 1;
  double column_0 = 0, row_0 = 0;  // of the vehicle's origin
};

// The vehicle in the middle; metres along columns and rows.
GroundPicture ground_picture(double metres_wide, double metres_high, double pixels_per_metre);
// What a camera sees that looks straight down, the principal point in the middle of its image.
GroundPicture ground_picture_of(const IpmCamera& drone);

// From the camera's pixels to the picture's: (P M)^-1. Not finite for a camera on the ground.
Homography ipm_homography(const IpmCamera&, const GroundPicture&);

struct ImageSize {
  double height = 0, width = 0;
};

// A homography from `input` to `output` for images of another size: the input keeps its aspect ratio, the
// longer side of the new one being filled, and of the output the middle is cut that has the new one's ratio.
Homography resized_homography(const Homography&, ImageSize input, ImageSize output, ImageSize new_input,
                              ImageSize new_output);

// For WarpCoordinates::Cam2Bev: its inverse in coordinates of which -1 and 1 are the images' edges.
Homography sampler_homography(const Homography&, ImageSize input, ImageSize output);

}  // namespace tyto::kernels

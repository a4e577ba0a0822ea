#include "kernels/bev/ipm_homography.h"

#include <cmath>

#include "kernels/bev/camera_math.h"

namespace tyto::kernels {
namespace {

using Matrix = double[9];

// A plane's coordinates, turned by the angle: about z of (x, y), about y of (z, x), about x of (y, z).
void turn(double angle, double& first, double& second) {
  const double c = std::cos(angle), s = std::sin(angle), old = first;
  first = c * old - s * second;
  second = s * old + c * second;
}

// A place of the vehicle's frame, as seen from its origin, in the camera's: x right, y down, z ahead.
void to_camera(const IpmCamera& camera, const double (&place)[3], double (&out)[3]) {
  double x = place[0], y = place[1], z = place[2];
  turn(-camera.roll, y, z);
  turn(-camera.pitch, z, x);
  turn(-camera.yaw, x, y);
  out[0] = -y;
  out[1] = -z;
  out[2] = x;
}

Homography product(const Homography& a, const Homography& b) {
  Homography out = {};
  for (size_t row = 0; row < 3; ++row)
    for (size_t column = 0; column < 3; ++column)
      for (size_t k = 0; k < 3; ++k) out[3 * row + column] += a[3 * row + k] * b[3 * k + column];
  return out;
}

Homography inverse(const Homography& h) {
  Matrix m, of;
  for (size_t i = 0; i < 9; ++i) m[i] = h[i];
  invert3(m, of);
  Homography out;
  for (size_t i = 0; i < 9; ++i) out[i] = of[i];
  return out;
}

Homography scaled_then_moved(double by_x, double by_y, double x, double y) {
  return {by_x, 0, x, 0, by_y, y, 0, 0, 1};
}

}  // namespace

GroundPicture ground_picture(double metres_wide, double metres_high, double pixels_per_metre) {
  GroundPicture picture;
  picture.width = static_cast<int>(metres_wide * pixels_per_metre);
  picture.height = static_cast<int>(metres_high * pixels_per_metre);
  picture.pixels_per_metre_x = picture.pixels_per_metre_y = pixels_per_metre;
  picture.column_0 = picture.width / 2.0;
  picture.row_0 = picture.height / 2.0;
  return picture;
}

GroundPicture ground_picture_of(const IpmCamera& drone) {
  GroundPicture picture;
  picture.width = static_cast<int>(2 * drone.center_x);
  picture.height = static_cast<int>(2 * drone.center_y);
  picture.pixels_per_metre_x = drone.focal_x / drone.position[2];
  picture.pixels_per_metre_y = drone.focal_y / drone.position[2];
  picture.column_0 = picture.width / 2.0 - drone.position[0] * picture.pixels_per_metre_x;
  picture.row_0 = picture.height / 2.0 + drone.position[1] * picture.pixels_per_metre_y;
  return picture;
}

Homography ipm_homography(const IpmCamera& camera, const GroundPicture& picture) {
  // The columns of P M: where a step along x, a step along -y and the picture's first pixel are seen.
  const double per_column = 1 / picture.pixels_per_metre_x, per_row = 1 / picture.pixels_per_metre_y;
  const double places[3][3] = {{per_column, 0, 0},
                               {0, -per_row, 0},
                               {-picture.column_0 * per_column - camera.position[0],
                                picture.row_0 * per_row - camera.position[1], -camera.position[2]}};
  Homography seen;
  for (size_t column = 0; column < 3; ++column) {
    double at[3];
    to_camera(camera, places[column], at);
    seen[column] = camera.focal_x * at[0] + camera.center_x * at[2];
    seen[3 + column] = camera.focal_y * at[1] + camera.center_y * at[2];
    seen[6 + column] = at[2];
  }
  return inverse(seen);
}

Homography resized_homography(const Homography& homography, ImageSize input, ImageSize output,
                              ImageSize new_input, ImageSize new_output) {
  // Of the new input's pixels to the old one's: they are of one scale along both axes.
  const bool wide = new_input.height <= new_input.width;
  const double to_old = wide ? input.width / new_input.width : input.height / new_input.height;
  const double padding_x = wide ? 0 : (input.width / to_old - new_input.width) / 2,
               padding_y = wide ? (input.height / to_old - new_input.height) / 2 : 0;
  const Homography from_new = scaled_then_moved(to_old, to_old, to_old * padding_x, to_old * padding_y);

  const double ratio = new_output.height / new_output.width;
  const bool out_wide = ratio <= 1;
  const double cut_height = out_wide ? ratio * output.width : output.height,
               cut_width = out_wide ? output.width : output.height / ratio;
  const double by_x = new_output.width / cut_width, by_y = new_output.height / cut_height;
  const Homography to_new = scaled_then_moved(by_x, by_y, -by_x * (output.width - cut_width) / 2,
                                              -by_y * (output.height - cut_height) / 2);
  return product(to_new, product(homography, from_new));
}

Homography sampler_homography(const Homography& homography, ImageSize input, ImageSize output) {
  const Homography to_pixels =
      scaled_then_moved(input.width / 2, input.height / 2, input.width / 2, input.height / 2);
  const Homography to_unit = scaled_then_moved(2 / output.width, 2 / output.height, -1, -1);
  return inverse(product(to_unit, product(homography, to_pixels)));
}

}  // namespace tyto::kernels

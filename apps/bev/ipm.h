// The ground around a calibrated rig of cameras, looked at from above, without a network: inverse perspective
// mapping.
//
// Each cell's centre, at a height above the ego's ground, is projected into every camera; one that it lies
// before and whose image it falls into gives its colour there, bilinearly. What stands higher than that is
// smeared away from its camera.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tyto/bev_segmenter.h"

namespace tyto::apps {

// Axes of the ego: x forward, y left.
struct GroundGrid {
  std::array<double, 2> lower{}, upper{};  // x, y in metres
  double step = 0;                         // a cell's side
  int rows = 0, columns = 0;               // along x and y: (upper - lower) / step

  bool operator==(const GroundGrid&) const = default;
};

// "x0,x1,y0,y1,step". Error{Usage} where it is not that, a range is empty or no whole number of steps, or the
// grid has more than kMaxGroundCells.
GroundGrid ground_grid(const std::string& text);
inline constexpr int64_t kMaxGroundCells = int64_t{1} << 26;

// What a cell gets that several cameras see.
enum class Blend {
  // Their mean, each by the pixels that a square metre of ground has in its image there, which falls with the
  // cube of the depth, and rising from 0 at the image's edge to 1 at kFeather of its shorter side: the camera
  // that is nearest and looks most squarely counts most, and no seam is sharp.
  Weighted,
  Mean,
  First,  // camera of the rig that sees it
  Last,
};
inline constexpr double kFeather = 0.1;
Blend blend_of(const std::string& name);  // "weighted", "mean", "first", "last"
std::vector<std::string> blend_names();

struct Mosaic {
  int rows = 0, columns = 0;
  std::vector<uint8_t> rgba;  // [rows, columns, 4]: x falls from row to row, y from column to column, so that
                              // forward is up and left is left; alpha 255, or 0 where no camera sees
  int64_t seen = 0;           // cells that one does
};

// A mosaic a height, in metres above the ego's ground. images[i] is of rig.cameras[i]; sizes may differ.
// Error{Shape} for matrices as check_rig() refuses them, and for more cameras than kMaxGatherCameras.
std::vector<Mosaic> ground_mosaics(const Rig& rig, std::span<const Image> images, const GroundGrid& grid,
                                   Blend blend, std::span<const double> heights);

}  // namespace tyto::apps

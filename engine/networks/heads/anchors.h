// Anchors of single-shot detectors, as each project lays them.
#pragma once

#include <array>
#include <vector>

#include "tyto/tensor.h"

namespace tyto {

// One map's anchors: the same boxes in every cell.
struct AnchorMap {
  int64_t rows = 0, columns = 0;           // cells
  double rows_per_unit, columns_per_unit;  // the centre of cell (i, j) is ((j + 1/2) / columns_per_unit, ...)
  std::vector<std::array<double, 2>> sizes;  // width, height
};

// All maps' anchors, cells row by row, a cell's anchors fastest: [P, 4] of centre x, centre y, width, height,
// in fractions of the image.
Tensor lay_anchors(const std::vector<AnchorMap>& maps);

// Liu et al. 2016: a square of `scale`, a square of the geometric mean of this scale and the next, then for
// each ratio r the box of r's area-preserving shape and the same upright.
std::vector<std::array<double, 2>> ssd_sizes(double scale, double next_scale,
                                             const std::vector<double>& ratios);

void clamp_all(Tensor& anchors);      // every number to 0..1: ssd.pytorch
void clamp_sizes(Tensor& anchors);    // widths and heights to 0..1: torchvision
void clamp_corners(Tensor& anchors);  // to the image: bubbliiiing's ssd-pytorch

// From fractions to pixels by way of corners, rounded where torchvision rounds.
void to_pixels(Tensor& anchors, int64_t width, int64_t height);

}  // namespace tyto

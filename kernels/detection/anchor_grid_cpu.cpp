#include <cmath>
#include <stdexcept>

#include "kernels/detection/anchor_grid_math.h"
#include "kernels/detection/boxes_math.h"

namespace tyto::kernels {
namespace {

void check_fits(size_t ratios, size_t sizes) {
  if (ratios * sizes > kMaxCellAnchors)
    throw std::invalid_argument("a cell of " + std::to_string(ratios * sizes) + " anchors; it has at most " +
                                std::to_string(kMaxCellAnchors));
}

}  // namespace

int64_t AnchorGrid::anchors() const {
  int64_t total = 0;
  for (int l = 0; l < count; ++l) total += levels[l].count();
  return total;
}

void centred_anchors(double base, const std::vector<double>& ratios, const std::vector<double>& scales,
                     AnchorLevel& level) {
  check_fits(ratios.size(), scales.size());
  const double centre = base / 2;
  level.per_cell = 0;
  for (const double ratio : ratios)
    for (const double scale : scales) {
      const double height = base * scale * std::sqrt(ratio), width = base * scale * std::sqrt(1 / ratio);
      level.cell[level.per_cell++] = {
          static_cast<float>(centre - width / 2), static_cast<float>(centre - height / 2),
          static_cast<float>(centre + width / 2), static_cast<float>(centre + height / 2)};
    }
}

void rounded_anchors(const std::vector<double>& ratios, const std::vector<double>& sizes,
                     AnchorLevel& level) {
  check_fits(ratios.size(), sizes.size());
  level.per_cell = 0;
  for (const double ratio : ratios)
    for (const double size : sizes) {
      const float up = std::sqrt(static_cast<float>(ratio)), across = 1 / up;
      const float width = across * static_cast<float>(size), height = up * static_cast<float>(size);
      level.cell[level.per_cell++] = {std::nearbyint(-width / 2), std::nearbyint(-height / 2),
                                      std::nearbyint(width / 2), std::nearbyint(height / 2)};
    }
}

void anchor_grid_cpu(const AnchorGrid& grid, float* anchors) {
  for (int l = 0; l < grid.count; ++l) {
    const AnchorLevel& level = grid.levels[l];
    for (AnchorPlace p = {l, 0, 0, 0}; p.row < level.rows; ++p.row)
      for (p.column = 0; p.column < level.columns; ++p.column)
        for (p.anchor = 0; p.anchor < level.per_cell; ++p.anchor, anchors += 4)
          write(anchor_at(grid, p), anchors);
  }
}

}  // namespace tyto::kernels

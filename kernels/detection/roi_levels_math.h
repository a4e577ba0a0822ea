// The level of a region by comparing areas: the same on every processor, which a logarithm is not.
#pragma once

#include <array>

#include "kernels/common/host_device.h"
#include "kernels/detection/iou.h"
#include "kernels/detection/roi_levels.h"

namespace tyto::kernels {

struct RoiLevelBounds {
  int count = 1;
  std::array<float, kMaxRoiLevels> least_area = {};  // NaN: of a level that no region belongs to
};

// The least areas for which the rule of RoiLevels gives each level.
RoiLevelBounds roi_level_bounds(const RoiLevels& levels);

// -1: none.
TYTO_HOST_DEVICE inline int roi_level(const Box& roi, const RoiLevelBounds& bounds) {
  const float size = area(roi);
  if (bounds.count == 1) {
    const bool is_nan = roi.x1 != roi.x1 || roi.y1 != roi.y1 || roi.x2 != roi.x2 || roi.y2 != roi.y2;
    return is_nan ? -1 : 0;
  }
  int level = -1;
  for (int k = 0; k < bounds.count; ++k) level += size >= bounds.least_area[k];
  return level;
}

}  // namespace tyto::kernels

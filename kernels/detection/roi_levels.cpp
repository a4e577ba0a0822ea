#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/detection/roi_levels_math.h"

namespace tyto::kernels {
namespace {

// Every step rounded to float, the logarithm correctly.
float level_of_area(float area, const RoiLevels& levels) {
  const float ratio = std::sqrt(area) / levels.canonical_size;
  const float log = static_cast<float>(std::log2(static_cast<double>(ratio)));
  return std::floor(static_cast<float>(levels.canonical_level) + log + 1e-6f);
}

int level_of_scale(float scale) { return static_cast<int>(-std::log2(scale)); }

// The rule never falls as the area grows, and floats are ordered as their bits are.
float least_area(int level, const RoiLevels& levels) {
  uint32_t below = 0, enough = std::bit_cast<uint32_t>(std::numeric_limits<float>::infinity());
  while (enough - below > 1) {
    const uint32_t middle = below + (enough - below) / 2;
    (level_of_area(std::bit_cast<float>(middle), levels) >= static_cast<float>(level) ? enough : below) =
        middle;
  }
  return std::bit_cast<float>(enough);
}

}  // namespace

RoiLevelBounds roi_level_bounds(const RoiLevels& levels) {
  RoiLevelBounds bounds = {.count = levels.count};
  bounds.least_area.fill(std::numeric_limits<float>::quiet_NaN());
  bounds.least_area[0] = 0;
  if (levels.count == 1) return bounds;
  const int first = level_of_scale(levels.scales[0]);
  const int last = level_of_scale(levels.scales[static_cast<size_t>(levels.count) - 1]);
  for (int k = 1; k < levels.count && first + k <= last; ++k)
    bounds.least_area[static_cast<size_t>(k)] = least_area(first + k, levels);
  return bounds;
}

}  // namespace tyto::kernels

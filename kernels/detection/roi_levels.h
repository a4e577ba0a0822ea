// Which level of a feature pyramid a region is pooled from.
#pragma once

#include <array>

namespace tyto::kernels {

inline constexpr int kMaxRoiLevels = 6;

// Level k - the first's, where k = floor(canonical_level + log2(sqrt(area) / canonical_size) + 1e-6), clamped
// to the first's and the last's (Lin et al., CVPR 2017; in float, as torchvision's LevelMapper computes it on
// a CPU). A level's own k is -log2 of its scale: levels of one scale are never told apart, and the first
// serves. Of one level nothing is chosen. A region that a level cannot be computed of, the area being NaN or
// negative, belongs to none, and so does one with a NaN where there is one level: its features are zero.
struct RoiLevels {
  std::array<float, kMaxRoiLevels> scales =
      {};  // feature cells per pixel of the network's input, positive: 1/4, 1/8, ...
  int count = 1;
  float canonical_size = 224;
  int canonical_level = 4;
};

}  // namespace tyto::kernels

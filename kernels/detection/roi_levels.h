// Which level of a feature pyramid a region is pooled from.
#pragma once

#include <array>

namespace tyto::kernels {

inline constexpr int kMaxRoiLevels = 6;

// Level k - the first's, where k = floor(canonical_level + log2(sqrt(area) / canonical_size + 1e-6)), clamped
// to the levels there are (Lin et al., CVPR 2017, as torchvision's LevelMapper computes it). Of one level
// nothing is chosen.
struct RoiLevels {
  std::array<float, kMaxRoiLevels> scales =
      {};  // feature cells per pixel of the network's input: 1/4, 1/8, ...
  int count = 1;
  float canonical_size = 224;
  int canonical_level = 4;
};

}  // namespace tyto::kernels

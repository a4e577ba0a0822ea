#include "kernels/detection/anchor_grid.h"

#include <gtest/gtest.h>

#include "kernels/cuda/device_array.h"
#include "kernels/cuda/random_values.h"
#include "kernels/detection/anchor_grids.h"

namespace tyto::kernels {
namespace {

void compare(const AnchorGrid& grid) {
  std::vector<float> want(static_cast<size_t>(4 * grid.anchors()));
  anchor_grid_cpu(grid, want.data());
  DeviceArray<float> anchors(4 * grid.anchors());
  anchor_grid(grid, anchors.data(), nullptr);
  EXPECT_EQ(bits(anchors.download()), bits(want));
}

TEST(AnchorGrid, HasTheBitsOfTheCpu) {
  compare({});
  compare(single_map(1, 1));
  compare(single_map(5, 7));                                   // 315 anchors
  compare(pyramid({{8, 9}, {0, 3}, {4, 5}, {2, 3}, {1, 1}}));  // 216 + 60 + 18 + 3
}

TEST(Profile, AnchorGrid) { compare(single_map(37, 50)); }

}  // namespace
}  // namespace tyto::kernels

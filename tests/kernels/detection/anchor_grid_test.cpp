#include "kernels/detection/anchor_grid.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "kernels/detection/anchor_grids.h"

namespace tyto::kernels {
namespace {

using Corners = std::vector<std::array<float, 4>>;

Corners cell_of(const AnchorLevel& level) {
  Corners boxes;
  for (int a = 0; a < level.per_cell; ++a) {
    const Box& b = level.cell[static_cast<size_t>(a)];
    boxes.push_back({b.x1, b.y1, b.x2, b.y2});
  }
  return boxes;
}

TEST(AnchorGrid, HasTheBitsOfSimpleFasterRcnn) {
  AnchorLevel level;
  centred_anchors(16, {0.5, 1, 2}, {8, 16, 32}, level);
  EXPECT_EQ(cell_of(level),
            (Corners{{-82.5096664428711f, -37.25483322143555f, 98.5096664428711f, 53.25483322143555f},
                     {-173.0193328857422f, -82.5096664428711f, 189.0193328857422f, 98.5096664428711f},
                     {-354.0386657714844f, -173.0193328857422f, 370.0386657714844f, 189.0193328857422f},
                     {-56, -56, 72, 72},
                     {-120, -120, 136, 136},
                     {-248, -248, 264, 264},
                     {-37.25483322143555f, -82.5096664428711f, 53.25483322143555f, 98.5096664428711f},
                     {-82.5096664428711f, -173.0193328857422f, 98.5096664428711f, 189.0193328857422f},
                     {-173.0193328857422f, -354.0386657714844f, 189.0193328857422f, 370.0386657714844f}}));
}

TEST(AnchorGrid, HasTheBitsOfTorchvision) {
  AnchorLevel level;
  rounded_anchors({0.5, 1, 2}, {32}, level);
  EXPECT_EQ(cell_of(level), (Corners{{-23, -11, 23, 11}, {-16, -16, 16, 16}, {-11, -23, 11, 23}}));
  rounded_anchors({1}, {13, 15}, level);  // 6.5 and 7.5
  EXPECT_EQ(cell_of(level), (Corners{{-6, -6, 6, 6}, {-8, -8, 8, 8}}));
  rounded_anchors({0.3, 0.7}, {15, 33}, level);
  EXPECT_EQ(cell_of(level),
            (Corners{{-14, -4, 14, 4}, {-30, -9, 30, 9}, {-9, -6, 9, 6}, {-20, -14, 20, 14}}));
}

TEST(AnchorGrid, RefusesACellOfTooManyAnchors) {
  AnchorLevel level;
  EXPECT_THROW(rounded_anchors({1}, std::vector<double>(17, 32), level), std::invalid_argument);
  EXPECT_THROW(centred_anchors(16, {1, 2}, std::vector<double>(9, 8), level), std::invalid_argument);
}

TEST(AnchorGrid, WalksLevelsRowsColumnsAndCells) {
  AnchorGrid grid = pyramid({{2, 3}, {0, 5}, {1, 1}});
  EXPECT_EQ(grid.anchors(), (2 * 3 + 1) * 3);
  std::vector<float> anchors(static_cast<size_t>(4 * grid.anchors()));
  anchor_grid_cpu(grid, anchors.data());
  size_t i = 0;
  for (const AnchorLevel& level : grid.levels)
    for (int y = 0; y < level.rows; ++y)
      for (int x = 0; x < level.columns; ++x)
        for (const auto& [x1, y1, x2, y2] : cell_of(level)) {
          const float right = static_cast<float>(x) * level.stride_x,
                      down = static_cast<float>(y) * level.stride_y;
          for (const float corner : {x1 + right, y1 + down, x2 + right, y2 + down})
            ASSERT_EQ(anchors[i++], corner);
        }
  EXPECT_EQ(i, anchors.size());
}

}  // namespace
}  // namespace tyto::kernels

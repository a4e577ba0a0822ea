#include "engine/metrics/grid_iou.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "support/errors.h"

namespace tyto {
namespace {

TEST(GridIou, CountsCellsWhoseLogitIsOverTheThreshold) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const std::vector<float> logits = {1, 0, 1, -1, nan, inf};
  const std::vector<uint8_t> labels = {1, 1, 0, 1, 1, 255};
  EXPECT_EQ(grid_overlap(logits, labels), (GridOverlap{2, 3, 5}));
  EXPECT_EQ(grid_overlap(logits, labels, 1), (GridOverlap{1, 1, 5}));
  EXPECT_EQ(grid_overlap(logits, labels, -0.5f), (GridOverlap{3, 4, 5}));
}

TEST(GridIou, DividesOnceForAWholeSet) {
  GridOverlap set = {1, 2, 1};  // IoU 1/2
  set += {3, 3, 10};            // IoU 3/10
  EXPECT_EQ(set.iou(), 4.0 / 12);
  EXPECT_EQ((GridOverlap{0, 5, 0}).iou(), 0);
}

TEST(GridIou, IsMinusOneWhereNothingIsPredictedOrLabelled) { EXPECT_EQ(GridOverlap{}.iou(), -1); }

TEST(GridIou, RefusesMapsOfDifferentSizes) {
  const std::vector<float> logits(6);
  const std::vector<uint8_t> labels(5);
  expect_error([&] { grid_overlap(logits, labels); }, ErrorKind::Shape, {"6", "5"});
}

}  // namespace
}  // namespace tyto

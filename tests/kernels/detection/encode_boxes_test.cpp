#include "kernels/detection/encode_boxes.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/detection/random_boxes.h"

namespace tyto::kernels {
namespace {

void compare(int64_t n, const EncodeBoxes& p) {
  Numbers numbers(static_cast<uint32_t>(n));
  const auto references = crowded_boxes(numbers, n), targets = crowded_boxes(numbers, n);
  std::vector<float> offsets(references.size());
  encode_boxes_cpu(references.data(), targets.data(), n, p, offsets.data());
  for (size_t i = 0; i < offsets.size(); i += 4)
    for (size_t axis = 0; axis < 2; ++axis) {
      const float *r = &references[i + axis], *t = &targets[i + axis];
      const double from = double{r[2]} - r[0], to = double{t[2]} - t[0];
      const size_t at = i + (p.coding.y_first ? 1 - axis : axis);
      // Sides from 0.1 to 0.4 of corners below 1: their differences carry a rounding of 1 over 0.1, and
      // centres as far apart as 1 are ten sides; with the divisions' a dozen roundings, over a variance of at
      // least 0.1.
      const double bound = 12 * 10 / 0.1 * 0x1p-24;
      ASSERT_NEAR(offsets[at], ((t[0] + to / 2) - (r[0] + from / 2)) / from / p.coding.variance[axis], bound)
          << i;
      ASSERT_NEAR(offsets[at + 2], std::log(to / from) / p.coding.variance[axis + 2], bound) << i;
    }
}

TEST(EncodeBoxes, EqualsTheReference) {
  for (const int64_t n : {0, 1, 7, 1025}) {
    compare(n, {});
    compare(n, {.coding = {.variance = {0.1f, 0.2f, 0.3f, 0.4f}, .y_first = true}});
  }
}

TEST(EncodeBoxes, AReferenceWithoutWidthHasTheLeastSide) {
  const float reference[4] = {1, 1, 1, 3}, target[4] = {1, 1, 2, 3};
  float offsets[4];
  encode_boxes_cpu(reference, target, 1, {}, offsets);
  EXPECT_EQ(offsets[0], 0.5f * 0x1p23f);
  EXPECT_FLOAT_EQ(offsets[2], std::log(0x1p23f));
  encode_boxes_cpu(reference, target, 1, {.least_side = -std::numeric_limits<float>::infinity()}, offsets);
  EXPECT_EQ(offsets[0], std::numeric_limits<float>::infinity());
  EXPECT_EQ(offsets[2], std::numeric_limits<float>::infinity());
}

}  // namespace
}  // namespace tyto::kernels

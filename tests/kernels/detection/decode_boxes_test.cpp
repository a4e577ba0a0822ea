#include "kernels/detection/decode_boxes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/detection/random_boxes.h"

namespace tyto::kernels {
namespace {

std::vector<double> reference(const std::vector<float>& offsets, const std::vector<float>& anchors,
                              const DecodeBoxes& p) {
  std::vector<double> boxes(offsets.size());
  for (size_t i = 0; i < offsets.size(); i += 4)
    for (size_t axis = 0; axis < 2; ++axis) {
      const float* a = &anchors[i % anchors.size()];
      const double centre = a[axis] + double{offsets[i + axis]} * p.coding.variance[axis] * a[axis + 2];
      const double exponent = double{offsets[i + axis + 2]} * p.coding.variance[axis + 2];
      const double half = a[axis + 2] * std::exp(std::min<double>(exponent, p.coding.max_log_size)) / 2;
      const double extent = axis == 0 ? p.width : p.height;
      boxes[i + axis] = p.clip ? std::clamp(centre - half, 0.0, extent) : centre - half;
      boxes[i + axis + 2] = p.clip ? std::clamp(centre + half, 0.0, extent) : centre + half;
    }
  return boxes;
}

void compare(int64_t n, int64_t count, const DecodeBoxes& p) {
  Numbers numbers(static_cast<uint32_t>(count) + 1);
  const auto offsets = numbers.vector(n * count * 4, -8, 8),
             anchors = numbers.vector(count * 4, 0.05f, 0.95f);
  std::vector<float> boxes(offsets.size());
  decode_boxes_cpu(offsets.data(), anchors.data(), n, count, p, boxes.data());
  const auto want = reference(offsets, anchors, p);
  for (size_t i = 0; i < boxes.size(); ++i) {
    // At most e^1.6 < 5 wide and 2 from the origin; a dozen roundings, the exponent's among them.
    ASSERT_NEAR(boxes[i], want[i], 12 * 7 * 0x1p-24) << i;
  }
}

TEST(DecodeBoxes, EqualsTheReference) {
  for (int64_t n : {0, 1, 3})
    for (int64_t count : {1, 7, 65}) {
      compare(n, count, {});
      compare(n, count, {.clip = true});
      compare(n, count, {.clip = true, .width = 0.7f, .height = 0.4f});
      compare(n, count, {.coding = {{0.1f, 0.2f, 0.15f, 0.05f}, 0.25f}, .width = 2});
    }
}

TEST(DecodeBoxes, TheAnchorItselfForZeroOffsets) {
  const float offsets[4] = {}, anchor[4] = {0.5f, 0.25f, 0.5f, 0.25f};
  float box[4];
  decode_boxes_cpu(offsets, anchor, 1, 1, {}, box);
  EXPECT_EQ(std::vector<float>(box, box + 4), (std::vector<float>{0.25f, 0.125f, 0.75f, 0.375f}));
}

TEST(DecodeBoxes, KeepsNaNAndLimitsTheSize) {
  const float huge[4] = {0, 0, 1e6f, std::nanf("")}, anchor[4] = {0, 0, 1, 1};
  float box[4];
  decode_boxes_cpu(huge, anchor, 1, 1, {.coding = {.max_log_size = std::log(62.5f)}}, box);
  EXPECT_NEAR(box[2] - box[0], 62.5, 1e-4);
  EXPECT_TRUE(std::isnan(box[1]) && std::isnan(box[3]));
  decode_boxes_cpu(huge, anchor, 1, 1, {.clip = true}, box);
  EXPECT_TRUE(std::isnan(box[1]) && std::isnan(box[3]));  // clipping hides no NaN
}

}  // namespace
}  // namespace tyto::kernels

#include "kernels/detection/decode_proposals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/detection/anchor_grids.h"
#include "kernels/detection/random_boxes.h"

namespace tyto::kernels {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Proposals {
  std::vector<float> boxes, scores;
};

Proposals decode(const std::vector<float>& offsets, const std::vector<float>& logits,
                 const std::vector<float>& sizes, const DecodeProposals& p, int values = 1) {
  const auto n = static_cast<int64_t>(sizes.size()) / kSizesRow;
  const auto rows = offsets.size() / 4;
  Proposals out = {std::vector<float>(offsets.size(), -1), std::vector<float>(rows, -1)};
  decode_proposals_cpu(offsets.data(), logits.data(), sizes.data(), n, values, p, out.boxes.data(),
                       out.scores.data());
  return out;
}

// simple-faster-rcnn-pytorch's order of offsets and filter, or torchvision's, in double.
void compare(const DecodeProposals& p, const std::vector<float>& sizes, int values) {
  const auto n = static_cast<int64_t>(sizes.size()) / kSizesRow, count = p.grid.anchors();
  Numbers numbers(static_cast<uint32_t>(count));
  const auto offsets = numbers.vector(n * count * 4, -2, 2),
             logits = numbers.vector(n * count * values, -9, 9);
  const Proposals got = decode(offsets, logits, sizes, p, values);
  std::vector<float> anchors(static_cast<size_t>(4 * count));
  anchor_grid_cpu(p.grid, anchors.data());
  for (int64_t i = 0; i < n * count; ++i) {
    const float *size = &sizes[static_cast<size_t>(i / count * kSizesRow)],
                *d = &offsets[static_cast<size_t>(4 * i)],
                *a = &anchors[static_cast<size_t>(4 * (i % count))];
    double sides[2];
    for (int axis = 0; axis < 2; ++axis) {  // x, y
      const int at = p.coding.y_first ? 1 - axis : axis;
      const double length = double{a[axis + 2]} - a[axis], centre = a[axis] + length / 2;
      const double half =
          length *
          std::exp(std::min<double>(double{d[at + 2]} * p.coding.variance[axis + 2], p.coding.max_log_size)) /
          2;
      const double middle = centre + double{d[at]} * p.coding.variance[axis] * length;
      const double extent = size[axis == 0 ? 1 : 0];
      const double low = std::clamp(middle - half, 0.0, extent),
                   high = std::clamp(middle + half, 0.0, extent);
      sides[axis] = high - low;
      // Sides to 1000 * e^2, centres as far out, a dozen roundings.
      const double bound = 12 * 16000 * 0x1p-24;
      ASSERT_NEAR(got.boxes[static_cast<size_t>(4 * i + axis)], low, bound) << i;
      ASSERT_NEAR(got.boxes[static_cast<size_t>(4 * i + axis + 2)], high, bound) << i;
      ASSERT_GT(std::abs(sides[axis] - p.min_size * size[1] / size[3]), p.min_size > 0 ? 2 * bound : -1) << i;
    }
    const bool large = std::min(sides[0], sides[1]) >= p.min_size * size[1] / size[3];
    const float* logit = &logits[static_cast<size_t>(i * values)];
    const float score = got.scores[static_cast<size_t>(i)];
    const float want = !large ? kNaN : values == 2 ? logit[1] - logit[0] : logit[0];
    ASSERT_TRUE(score == want || (std::isnan(score) && std::isnan(want))) << i;
  }
}

TEST(DecodeProposals, EqualsTheReference) {
  const std::vector<float> two_images = {600, 800, 375, 500, 100, 300, 200, 600};
  compare({.coding = {.y_first = true}, .grid = single_map(3, 5), .min_size = 16}, two_images, 2);
  compare({.coding = {.variance = {0.1f, 0.1f, 0.2f, 0.2f}, .max_log_size = 0.3f},
           .grid = pyramid({{5, 4}, {3, 2}, {1, 1}})},
          two_images, 1);
  compare({.grid = single_map(1, 1)}, {600, 800, 375, 500}, 1);
  compare({.grid = single_map(0, 1)}, two_images, 2);
}

// One anchor of 8 x 8 around (4, 4), which offsets of zero return.
DecodeProposals one_anchor() {
  DecodeProposals p = {.grid = {.count = 1}};
  p.grid.levels[0] = {.rows = 1, .columns = 1, .per_cell = 1, .cell = {Box{0, 0, 8, 8}}};
  return p;
}

TEST(DecodeProposals, KeepsABoxExactlyAsLargeAsTheSmallest) {
  DecodeProposals p = one_anchor();
  p.min_size = 16;  // of the original, which is twice as large
  const std::vector<float> exact = {8, 8, 16, 16}, smaller = {8, 7.99f, 16, 15.98f};
  EXPECT_EQ(decode({0, 0, 0, 0}, {3}, exact, p).scores[0], 3);
  EXPECT_TRUE(std::isnan(decode({0, 0, 0, 0}, {3}, smaller, p).scores[0]));
  EXPECT_TRUE(std::isnan(decode({0, 0, -0.01f, 0}, {3}, exact, p).scores[0]));
  EXPECT_TRUE(std::isnan(decode({0, 0, 0, -0.01f}, {3}, exact, p).scores[0]));
}

TEST(DecodeProposals, ABoxWithANaNIsNone) {
  const std::vector<float> size = {8, 8, 8, 8};
  for (size_t at = 0; at < 4; ++at) {
    std::vector<float> offsets(4);
    offsets[at] = kNaN;
    EXPECT_TRUE(std::isnan(decode(offsets, {3}, size, one_anchor()).scores[0]));
  }
  // An infinitely large box covers the image.
  const Proposals all = decode({0, 0, 1e30f, 1e30f}, {3}, size, one_anchor());
  EXPECT_EQ(all.boxes, (std::vector<float>{0, 0, 8, 8}));
  EXPECT_EQ(all.scores[0], 3);
}

TEST(DecodeProposals, NoImageHasNone) {
  for (const float min_size : {0.0f, 16.0f}) {
    DecodeProposals p = one_anchor();
    p.min_size = min_size;
    const Proposals none = decode({0, 0, 0, 0}, {3}, {0, 0, 0, 0}, p);
    EXPECT_EQ(none.boxes, std::vector<float>(4));
    EXPECT_TRUE(std::isnan(none.scores[0]));
  }
}

}  // namespace
}  // namespace tyto::kernels

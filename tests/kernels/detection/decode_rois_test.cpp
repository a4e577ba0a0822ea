#include "kernels/detection/decode_rois.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/detection/random_boxes.h"

namespace tyto::kernels {
namespace {

// Rows of six numbers, of which the first four count; images of 600 x 800 made of 375 x 500 and of 601 x 790
// made of 376 x 499, whose two scales differ.
void compare(int64_t capacity, int64_t classes, const std::vector<int32_t>& counts, const DecodeRois& p) {
  constexpr int64_t n = 2;
  constexpr int kStride = 6;
  const std::vector<float> sizes = {600, 800, 375, 500, 601, 790, 376, 499};
  Numbers numbers(static_cast<uint32_t>(capacity));
  const auto offsets = numbers.vector(n * capacity * classes * 4, -2, 2);
  const auto rows = numbers.vector(n * capacity * kStride, 0, 700);
  const Rois rois = {rows.data(), kStride, counts.empty() ? nullptr : counts.data(), n, capacity};
  std::vector<float> boxes(static_cast<size_t>(n * capacity * (classes - 1) * 4), -1);
  decode_rois_cpu(offsets.data(), rois, sizes.data(), classes, p, boxes.data());

  size_t at = 0;
  for (int64_t image = 0; image < n; ++image)
    for (int64_t r = 0; r < capacity; ++r)
      for (int64_t label = 1; label < classes; ++label, at += 4) {
        const int64_t roi = image * capacity + r;
        const float *d = &offsets[static_cast<size_t>(4 * (roi * classes + label))],
                    *row = &rows[static_cast<size_t>(roi * kStride)],
                    *size = &sizes[static_cast<size_t>(4 * image)];
        const double extents[2] = {size[1], p.one_scale ? double{size[2]} * size[1] / size[3] : size[0]};
        for (size_t axis = 0; axis < 2; ++axis) {
          if (!counts.empty() && r >= counts[static_cast<size_t>(image)]) {
            ASSERT_EQ(boxes[at + axis], 0);
            ASSERT_EQ(boxes[at + axis + 2], 0);
            continue;
          }
          const size_t from = p.coding.y_first ? 1 - axis : axis;
          const double side = double{row[axis + 2]} - row[axis];
          const double middle = row[axis] + side / 2 + double{d[from]} * p.coding.variance[axis] * side;
          const double half = side *
                              std::exp(std::min<double>(double{d[from + 2]} * p.coding.variance[axis + 2],
                                                        p.coding.max_log_size)) /
                              2;
          const double bound =
              12 * 4096 * 0x1p-24;  // centres and sides below 700 * e^0.4 * 3, a dozen roundings
          ASSERT_NEAR(boxes[at + axis], std::clamp(middle - half, 0.0, extents[axis]), bound) << at;
          ASSERT_NEAR(boxes[at + axis + 2], std::clamp(middle + half, 0.0, extents[axis]), bound) << at;
        }
      }
}

TEST(DecodeRois, EqualsTheReference) {
  const BoxCoding voc = {.variance = {0.1f, 0.1f, 0.2f, 0.2f}, .y_first = true},
                  coco = {.variance = {0.1f, 0.15f, 0.2f, 0.05f}, .max_log_size = 0.3f};
  for (const int64_t capacity : {0, 1, 7})
    for (const int64_t classes : {2, 21}) {
      compare(capacity, classes, {}, {.coding = voc, .one_scale = true});
      compare(capacity, classes, {}, {.coding = coco});
    }
  compare(7, 4, {0, 7}, {.coding = voc});
  compare(7, 4, {6, 1}, {.coding = coco});
}

TEST(DecodeRois, KeepsANaNToItsOwnBox) {
  std::vector<float> offsets(2 * 3 * 4);
  offsets[4] = std::nanf("");
  const float rows[8] = {1, 1, 5, 5, 2, 2, 6, 6}, sizes[4] = {8, 8, 8, 8};
  float boxes[16];
  decode_rois_cpu(offsets.data(), {rows, 4, nullptr, 1, 2}, sizes, 3, {}, boxes);
  EXPECT_TRUE(std::isnan(boxes[0]) && std::isnan(boxes[2]));
  EXPECT_EQ(std::vector<float>(boxes + 3, boxes + 16),
            (std::vector<float>{5, 1, 1, 5, 5, 2, 2, 6, 6, 2, 2, 6, 6}));
}

}  // namespace
}  // namespace tyto::kernels

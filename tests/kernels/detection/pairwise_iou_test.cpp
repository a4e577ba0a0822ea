#include "kernels/detection/pairwise_iou.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/detection/random_boxes.h"

namespace tyto::kernels {
namespace {

TEST(PairwiseIou, EqualsTheReference) {
  for (const int64_t n : {0, 1, 9})
    for (const int64_t k : {0, 1, 35}) {
      Numbers numbers(static_cast<uint32_t>(n + k));
      const auto a = crowded_boxes(numbers, n), b = crowded_boxes(numbers, k);
      std::vector<float> ious(static_cast<size_t>(n * k));
      pairwise_iou_cpu(a.data(), n, b.data(), k, ious.data());
      size_t at = 0;
      for (size_t i = 0; i < a.size(); i += 4)
        for (size_t j = 0; j < b.size(); j += 4) {
          double shared = 1, of_a = 1, of_b = 1;
          for (size_t axis = 0; axis < 2; ++axis) {
            const double low = std::max(a[i + axis], b[j + axis]),
                         high = std::min(a[i + axis + 2], b[j + axis + 2]);
            shared *= std::max(0.0, high - low);
            of_a *= double{a[i + axis + 2]} - a[i + axis];
            of_b *= double{b[j + axis + 2]} - b[j + axis];
          }
          // Areas from 0.01 on of corners below 1: 2^-24 of 0.1 a side, a dozen roundings.
          ASSERT_NEAR(ious[at++], shared / (of_a + of_b - shared), 12 * 10 * 0x1p-24) << i << " " << j;
        }
    }
}

TEST(PairwiseIou, OfTwoBoxesWithoutAreaIsNaN) {
  const float a[8] = {1, 1, 1, 1, 0, 0, 2, 2};
  float ious[2];
  pairwise_iou_cpu(a, 2, a, 1, ious);
  EXPECT_TRUE(std::isnan(ious[0]));
  EXPECT_EQ(ious[1], 0);
}

}  // namespace
}  // namespace tyto::kernels

#include "kernels/layout/pad.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "kernels/blocked_batch.h"

namespace tyto::kernels {
namespace {

// Of [[1 .. 4], [5 .. 8], [9 .. 12]].
std::vector<float> padded(const Border& border, int64_t height, int64_t width) {
  BlockedBatch x({1, 1, 3, 4}, 1), y({1, 1, height, width}, 1);
  for (int i = 0; i < 12; ++i) x.view().data[i] = static_cast<float>(i + 1);
  pad_cpu(x.read(), border, y.view());
  return {y.view().data, y.view().data + height * width};
}

TEST(Pad, EqualsTorch) {
  EXPECT_EQ(padded({1, 2, PadMode::Reflect}, 6, 7),
            (std::vector<float>{7,  6,  5, 6,  7,  8,  7,  3, 2, 1, 2, 3, 4, 3, 7, 6, 5, 6, 7, 8, 7,
                                11, 10, 9, 10, 11, 12, 11, 7, 6, 5, 6, 7, 8, 7, 3, 2, 1, 2, 3, 4, 3}));
  EXPECT_EQ(padded({1, 2, PadMode::Replicate}, 6, 7),
            (std::vector<float>{1, 1, 1, 2,  3,  4,  4,  1, 1, 1, 2,  3,  4,  4,  5, 5, 5, 6,  7,  8,  8,
                                9, 9, 9, 10, 11, 12, 12, 9, 9, 9, 10, 11, 12, 12, 9, 9, 9, 10, 11, 12, 12}));
  EXPECT_EQ(padded({1, -1, PadMode::Reflect}, 3, 5),
            (std::vector<float>{6, 7, 8, 7, 6, 2, 3, 4, 3, 2, 6, 7, 8, 7, 6}));
  EXPECT_EQ(padded({1, -1, PadMode::Replicate}, 3, 5),
            (std::vector<float>{2, 3, 4, 4, 4, 2, 3, 4, 4, 4, 6, 7, 8, 8, 8}));
  EXPECT_EQ(padded({1, -1, PadMode::Zeros}, 3, 5),
            (std::vector<float>{0, 0, 0, 0, 0, 2, 3, 4, 0, 0, 6, 7, 8, 0, 0}));
}

TEST(Pad, OfZerosShiftsInEveryLayout) {
  for (const BatchShape& shape : unkind_shapes())
    for (int64_t block : blocks())
      for (const auto& [top, left, bottom, right] :
           {std::array<int64_t, 4>{0, 0, 1, 1}, {2, 1, 0, 3}, {-1, 0, 2, 0}, {0, -9, 0, 10}}) {
        const int64_t height = shape.height + top + bottom, width = shape.width + left + right;
        BlockedBatch x(shape, block), y({shape.n, shape.channels, height, width}, block);
        x.fill(3);
        pad_cpu(x.read(), {top, left}, y.view());
        for (int64_t i = 0; i < shape.n; ++i)
          for (int64_t c = 0; c < shape.channels; ++c)
            for (int64_t r = 0; r < height; ++r)
              for (int64_t s = 0; s < width; ++s) {
                const int64_t row = r - top, column = s - left;
                const bool inside = row >= 0 && column >= 0 && row < shape.height && column < shape.width;
                ASSERT_EQ(y.at(i, c, r, s), inside ? x.at(i, c, row, column) : 0.0f);
              }
      }
}

TEST(Pad, RefusesAReflectionOfMoreThanTheMap) {
  EXPECT_EQ(padded({2, 3, PadMode::Reflect}, 7, 10).size(), 70u);
  EXPECT_THROW(padded({3, 3, PadMode::Reflect}, 7, 10), std::invalid_argument);
  EXPECT_THROW(padded({2, 4, PadMode::Reflect}, 7, 10), std::invalid_argument);
  EXPECT_THROW(padded({2, 3, PadMode::Reflect}, 8, 10), std::invalid_argument);
  EXPECT_THROW(padded({2, 3, PadMode::Reflect}, 7, 11), std::invalid_argument);
  BlockedBatch x({1, 1, 0, 1}, 1), y({1, 1, 1, 1}, 1);
  EXPECT_THROW(pad_cpu(x.read(), {0, 0, PadMode::Replicate}, y.view()), std::invalid_argument);
}

}  // namespace
}  // namespace tyto::kernels

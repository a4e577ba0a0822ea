#include "kernels/pooling/average_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/self_test/tolerance.h"
#include "kernels/blocked_batch.h"

namespace tyto::kernels {
namespace {

// Of [[1 .. 4], [5 .. 8], [9 .. 12]].
std::vector<float> pooled(const AveragePoolWindow& window, int64_t height, int64_t width) {
  BlockedBatch x({1, 1, 3, 4}, 1), y({1, 1, height, width}, 1);
  for (int i = 0; i < 12; ++i) x.view().data[i] = static_cast<float>(i + 1);
  average_pool_cpu(x.read(), window, y.view());
  return {y.view().data, y.view().data + height * width};
}

TEST(AveragePool, EqualsTorch) {
  AveragePoolWindow window = {2, 3, 2, 2, 1, 1};
  EXPECT_EQ(pooled(window, 2, 2), (std::vector<float>{0.5f, 1.5f, 5, 9}));
  EXPECT_EQ(pooled(window, 2, 3), (std::vector<float>{0.5f, 1.5f, 1, 5, 9, 5}));  // ceil_mode
  window.count_padding = false;
  EXPECT_EQ(pooled(window, 2, 2), (std::vector<float>{1.5f, 3, 7.5f, 9}));
  EXPECT_EQ(pooled(window, 2, 3), (std::vector<float>{1.5f, 3, 4, 7.5f, 9, 10}));
  window.divisor = 4;
  EXPECT_EQ(pooled(window, 2, 3), (std::vector<float>{0.75f, 2.25f, 1, 7.5f, 13.5f, 5}));
}

TEST(AveragePool, AWindowOfPaddingAloneIsZero) {
  EXPECT_EQ(pooled({1, 1, 4, 1, 1, 0, false}, 2, 1), (std::vector<float>{0, 0}));
  EXPECT_EQ(pooled({1, 1, 1, 4, 0, 1, true}, 1, 2), (std::vector<float>{0, 4}));
}

TEST(AveragePool, IsTheReferenceInEveryLayout) {
  for (const BatchShape& shape : unkind_shapes())
    for (int64_t block : blocks())
      for (const AveragePoolWindow& w :
           {AveragePoolWindow{}, AveragePoolWindow{3, 3, 1, 1, 1, 1, true},
            AveragePoolWindow{3, 2, 2, 3, 1, 0, false}, AveragePoolWindow{4, 5, 3, 2, 2, 2, true, 7}}) {
        const int64_t height = shape.height / w.stride_height + 1, width = shape.width / w.stride_width + 1;
        BlockedBatch x(shape, block), y({shape.n, shape.channels, height, width}, block);
        x.fill(3);
        average_pool_cpu(x.read(), w, y.view());
        const double tolerance = 2 * sum_tolerance(Precision::Fp32, w.height * w.width, 1);
        for (int64_t i = 0; i < shape.n; ++i)
          for (int64_t c = 0; c < shape.channels; ++c)
            for (int64_t r = 0; r < height; ++r)
              for (int64_t s = 0; s < width; ++s) {
                double sum = 0, pixels = 0, padded = 0;
                for (int a = 0; a < w.height; ++a)
                  for (int b = 0; b < w.width; ++b) {
                    const int64_t row = r * w.stride_height - w.padding_height + a;
                    const int64_t column = s * w.stride_width - w.padding_width + b;
                    padded += row < shape.height + w.padding_height && column < shape.width + w.padding_width;
                    if (row < 0 || column < 0 || row >= shape.height || column >= shape.width) continue;
                    sum += x.at(i, c, row, column);
                    ++pixels;
                  }
                const double divisor = w.divisor != 0 ? w.divisor : w.count_padding ? padded : pixels;
                ASSERT_NEAR(y.at(i, c, r, s), pixels == 0 ? 0 : sum / divisor, tolerance);
              }
      }
}

}  // namespace
}  // namespace tyto::kernels

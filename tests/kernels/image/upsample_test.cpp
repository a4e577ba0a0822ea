#include "kernels/image/upsample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/blocked_batch.h"

namespace tyto::kernels {
namespace {

UpsampleSteps steps_of(Upsampling mode, const BatchShape& x, int64_t height, int64_t width) {
  return {upsample_step(mode, x.height, height), upsample_step(mode, x.width, width)};
}

// What torch 1.13 gives for one image.
std::vector<float> upsampled(const std::vector<float>& image, int64_t height, int64_t width, Upsampling mode,
                             UpsampleSteps steps, int64_t out_height, int64_t out_width) {
  BlockedBatch x({1, 1, height, width}, 1), y({1, 1, out_height, out_width}, 1);
  std::copy(image.begin(), image.end(), x.view().data);
  upsample_cpu(x.read(), mode, steps, y.view());
  return {y.view().data, y.view().data + out_height * out_width};
}

TEST(Upsample, EqualsTorch) {
  const std::vector<float> image = {1, 2, 4, 8, 16, 32};
  const BatchShape shape = {1, 1, 2, 3};
  const auto to = [&](Upsampling mode, int64_t height, int64_t width) {
    return upsampled(image, 2, 3, mode, steps_of(mode, shape, height, width), height, width);
  };
  EXPECT_EQ(to(Upsampling::Nearest, 3, 5),
            (std::vector<float>{1, 1, 2, 2, 4, 1, 1, 2, 2, 4, 8, 8, 16, 16, 32}));
  EXPECT_EQ(to(Upsampling::BilinearCorners, 3, 5),
            (std::vector<float>{1, 1.5f, 2, 3, 4, 4.5f, 6.75f, 9, 13.5f, 18, 8, 12, 16, 24, 32}));
  EXPECT_EQ(to(Upsampling::BilinearCorners, 1, 2), (std::vector<float>{1, 4}));
  const std::vector<float> bilinear = to(Upsampling::Bilinear, 3, 4);
  const std::vector<float> want = {1, 1.625f, 2.75f, 4, 4.5f, 7.3125f, 12.375f, 18, 8, 13, 22, 32};
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(bilinear[i], want[i], 4e-6);
}

TEST(Upsample, AGivenScaleFactorDecidesTheStepAndNotTheSizes) {
  const std::vector<float> image = {1, 2, 3, 4, 5, 6, 7};
  const UpsampleSteps steps = {1, 1 / 0.6f};
  EXPECT_EQ(upsampled(image, 1, 7, Upsampling::Nearest, steps, 1, 4), (std::vector<float>{1, 2, 4, 6}));
  const std::vector<float> bilinear = upsampled(image, 1, 7, Upsampling::Bilinear, steps, 1, 4);
  const std::vector<float> want = {4 / 3.0f, 3, 14 / 3.0f, 19 / 3.0f};
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(bilinear[i], want[i], 2e-6);
}

TEST(Upsample, AStepThatLeavesTheMapStaysAtItsEdge) {
  for (Upsampling mode : {Upsampling::Nearest, Upsampling::Bilinear, Upsampling::BilinearCorners})
    EXPECT_EQ(upsampled({1, 2}, 1, 2, mode, {1, 3}, 1, 3)[2], 2.0f);
}

// Positions in double; torch's nearest cell is defined by its floats.
double reference(BlockedBatch& x, Upsampling mode, UpsampleSteps steps, int64_t i, int64_t c, int64_t row,
                 int64_t column) {
  const auto position = [&](int64_t at, float step) {
    const double p = mode == Upsampling::Bilinear ? (static_cast<double>(at) + 0.5) * step - 0.5
                                                  : static_cast<double>(at) * step;
    return std::max(p, 0.0);
  };
  const double y = position(row, steps.y), z = position(column, steps.x);
  const auto cell = [&](int64_t r, int64_t s) {
    return double{x.at(i, c, std::min(r, x.view().height - 1), std::min(s, x.view().width - 1))};
  };
  const auto top = static_cast<int64_t>(y), left = static_cast<int64_t>(z);
  const double down = y - static_cast<double>(top), across = z - static_cast<double>(left);
  return (1 - down) * ((1 - across) * cell(top, left) + across * cell(top, left + 1)) +
         down * ((1 - across) * cell(top + 1, left) + across * cell(top + 1, left + 1));
}

TEST(Upsample, IsTheReferenceInEveryLayout) {
  for (const BatchShape& shape : unkind_shapes())
    for (int64_t block : blocks())
      for (Upsampling mode : {Upsampling::Nearest, Upsampling::Bilinear, Upsampling::BilinearCorners})
        for (const auto& [height, width] : {std::pair<int64_t, int64_t>{1, 1}, {4, 9}, {7, 3}, {0, 2}}) {
          BlockedBatch x(shape, block), y({shape.n, shape.channels, height, width}, block);
          x.fill(3);
          const UpsampleSteps steps = steps_of(mode, shape, height, width);
          upsample_cpu(x.read(), mode, steps, y.view());
          // A position below 16 is off by up to three roundings, and two neighbours differ by up to 4; two
          // axes. Then six roundings of numbers up to 2.
          const double tolerance = (2 * 3 * 16 * 4 + 6 * 2) * 0x1p-24;
          for (int64_t i = 0; i < shape.n; ++i)
            for (int64_t c = 0; c < shape.channels; ++c)
              for (int64_t r = 0; r < height; ++r)
                for (int64_t s = 0; s < width; ++s) {
                  if (mode != Upsampling::Nearest) {
                    ASSERT_NEAR(y.at(i, c, r, s), reference(x, mode, steps, i, c, r, s), tolerance);
                    continue;
                  }
                  const auto row = static_cast<int64_t>(std::floor(static_cast<float>(r) * steps.y));
                  const auto column = static_cast<int64_t>(std::floor(static_cast<float>(s) * steps.x));
                  ASSERT_EQ(y.at(i, c, r, s),
                            x.at(i, c, std::min(row, shape.height - 1), std::min(column, shape.width - 1)));
                }
        }
}

}  // namespace
}  // namespace tyto::kernels

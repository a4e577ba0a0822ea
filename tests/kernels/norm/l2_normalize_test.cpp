#include "kernels/norm/l2_normalize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/self_test/tolerance.h"
#include "kernels/blocked_batch.h"
#include "kernels/norm/norm.h"

namespace tyto::kernels {
namespace {

double length_at(BlockedBatch& x, int64_t i, int64_t r, int64_t s) {
  double squares = 0;
  for (int64_t c = 0; c < x.view().channels; ++c) squares += std::pow(double{x.at(i, c, r, s)}, 2);
  return std::sqrt(squares);
}

TEST(L2Normalize, DividesEachPixelByItsLengthInEveryLayout) {
  for (const BatchShape& shape : unkind_shapes())
    for (int64_t block : blocks())
      for (const L2Normalize& op :
           {L2Normalize{L2Normalize::Epsilon::Added, 0.5f}, L2Normalize{L2Normalize::Epsilon::Least, 2.5f}}) {
        BlockedBatch x(shape, block), y(shape, block);
        x.fill(3);
        std::vector<float> scale(static_cast<size_t>(shape.channels));
        for (size_t c = 0; c < scale.size(); ++c) scale[c] = 1 + static_cast<float>(c % 5);
        l2_normalize_cpu(x.read(), scale.data(), op, y.view());
        for (int64_t i = 0; i < shape.n; ++i)
          for (int64_t r = 0; r < shape.height; ++r)
            for (int64_t s = 0; s < shape.width; ++s) {
              const double length = length_at(x, i, r, s);
              const double by = op.rule == L2Normalize::Epsilon::Added ? length + op.epsilon
                                                                       : std::max<double>(length, op.epsilon);
              for (int64_t c = 0; c < shape.channels; ++c)
                ASSERT_NEAR(y.at(i, c, r, s), x.at(i, c, r, s) / by * scale[static_cast<size_t>(c)],
                            5 * sum_tolerance(Precision::Fp32, 3, 1))
                    << "block " << block;
            }
      }
}

TEST(L2Normalize, OfZeroIsZero) {
  BlockedBatch x({1, 3, 2, 2}, 8);
  const float scale[] = {20, 20, 20};
  l2_normalize_cpu(x.read(), scale, {}, x.view());
  for (int64_t c = 0; c < 3; ++c) EXPECT_EQ(x.at(0, c, 1, 1), 0);
}

TEST(ScaleChannels, MultipliesByTheImagesOwnScalesInEveryPairOfLayouts) {
  for (const BatchShape& shape : unkind_shapes())
    for (int64_t block : blocks())
      for (int64_t scales_block : blocks()) {
        BlockedBatch x(shape, block), y(shape, block), scales({shape.n, shape.channels, 1, 1}, scales_block);
        x.fill(3);
        scales.fill(4);
        scale_channels_cpu(x.read(), scales.read(), y.view());
        for (int64_t i = 0; i < shape.n; ++i)
          for (int64_t c = 0; c < shape.channels; ++c)
            for (int64_t r = 0; r < shape.height; ++r)
              for (int64_t s = 0; s < shape.width; ++s)
                ASSERT_EQ(y.at(i, c, r, s), x.at(i, c, r, s) * scales.at(i, c, 0, 0));
      }
}

}  // namespace
}  // namespace tyto::kernels

#include "kernels/pooling/gem_pool.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/self_test/tolerance.h"
#include "kernels/blocked_batch.h"

namespace tyto::kernels {
namespace {

TEST(GemPool, IsTheGeneralisedMeanInEveryLayout) {
  for (const BatchShape& shape : unkind_shapes())
    for (int64_t block : blocks())
      for (const float power : {1.0f, 3.0f, 6.5f}) {
        const GemPool params;
        BlockedBatch x(shape, block), y({shape.n, shape.channels, 1, 1}, block);
        x.fill(3);
        gem_pool_cpu(x.read(), power, params, y.view());
        for (int64_t i = 0; i < shape.n; ++i)
          for (int64_t c = 0; c < shape.channels; ++c) {
            double sum = 0;
            for (int64_t r = 0; r < shape.height; ++r)
              for (int64_t s = 0; s < shape.width; ++s)
                sum += std::pow(std::max<double>(x.at(i, c, r, s), params.epsilon), power);
            const double want =
                std::pow(sum / static_cast<double>(shape.height * shape.width), 1 / double{power});
            // The mean's relative error is a power's few roundings; the root divides it by the power, and
            // adds its own.
            ASSERT_NEAR(y.at(i, c, 0, 0), want, 8 * unit_roundoff(Precision::Fp32) * want);
          }
      }
}

TEST(GemPool, AddsEpsilonToTheMeanWhereAgwDoes) {
  const GemPool params = {GemPool::Epsilon::Added, 1e-12f};
  BlockedBatch x({1, 1, 1, 2}, 1), y({1, 1, 1, 1}, 1);
  x.at(0, 0, 0, 0) = x.at(0, 0, 0, 1) = 0;
  gem_pool_cpu(x.read(), 3, params, y.view());
  EXPECT_NEAR(y.at(0, 0, 0, 0), 1e-4, 1e-9);
  x.at(0, 0, 0, 0) = -2;
  x.at(0, 0, 0, 1) = 3;
  gem_pool_cpu(x.read(), 3, params, y.view());
  EXPECT_NEAR(y.at(0, 0, 0, 0), std::cbrt(19.0 / 2), 1e-6);
}

TEST(GemPool, ANaNStays) {
  BlockedBatch x({1, 1, 1, 2}, 1), y({1, 1, 1, 1}, 1);
  x.at(0, 0, 0, 0) = std::nanf("");
  x.at(0, 0, 0, 1) = 1;
  gem_pool_cpu(x.read(), 3, {}, y.view());
  EXPECT_TRUE(std::isnan(y.at(0, 0, 0, 0)));
}

}  // namespace
}  // namespace tyto::kernels

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/common/device_error.h"
#include "kernels/cuda/nhwc_batch.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/pooling/gem_pool.h"

namespace tyto::kernels {
namespace {

template <class T>
class GemPoolTest : public ::testing::Test {};
TYPED_TEST_SUITE(GemPoolTest, ElementTypes);

template <class T>
void compare_gem_pool(const MapShape& shape, float power, const GemPool& params = {}, int64_t offset = 0) {
  const NhwcBatch<T> x(shape, 1, offset);
  NhwcResult<T> y({shape.n, 1, 1, shape.channels});
  gem_pool<T>(x.read(), power, params, y.data(), nullptr);
  const std::vector<float> got = y.download();
  size_t at = 0;
  for_each_element({shape.n, 1, 1, shape.channels}, [&](int64_t i, int64_t, int64_t, int64_t c) {
    double sum = 0;
    for (int64_t r = 0; r < shape.height; ++r)
      for (int64_t s = 0; s < shape.width; ++s) {
        const double v = x.at(i, r, s, c);
        sum +=
            std::pow(params.rule == GemPool::Epsilon::Least ? std::max<double>(v, params.epsilon) : v, power);
      }
    const auto area = static_cast<double>(shape.height * shape.width);
    const double want = std::pow(sum / area + (params.rule == GemPool::Epsilon::Added ? params.epsilon : 0),
                                 1 / double{power});
    // All terms are positive: relative errors, of a power (two units in the last place), the sum, the
    // division and the root.
    ASSERT_NEAR(got[at++], want, tolerance<T>(want, area + 12, want));
  });
}

TYPED_TEST(GemPoolTest, EqualsTheReferenceForEveryPower) {
  for (const MapShape& shape : awkward_shapes())
    for (const float power : {1.0f, 3.0f, 4.5f}) compare_gem_pool<TypeParam>(shape, power);
}

// More pixels than a block has lanes for, more channels than a block has, neither a multiple.
TYPED_TEST(GemPoolTest, PoolsManyPixelsAndChannels) {
  for (int64_t channels : {33, 40, 72}) compare_gem_pool<TypeParam>({2, 8, 11, channels}, 3);
}

TYPED_TEST(GemPoolTest, TakesAnUnalignedInput) {
  compare_gem_pool<TypeParam>({1, 5, 5, 16}, 3, {}, kUnaligned);
}

TEST(GemPool, AddsEpsilonToTheMeanWhereAgwDoes) {
  const NhwcBatch<float> x({1, 1, 2, 1}, {0, 0});
  NhwcResult<float> y({1, 1, 1, 1});
  gem_pool<float>(x.read(), 3, {GemPool::Epsilon::Added, 1e-12f}, y.data(), nullptr);
  EXPECT_NEAR(y.download()[0], 1e-4, 1e-9);
}

TEST(GemPool, RefusesMoreThanAnIndexHolds) {
  EXPECT_THROW(gem_pool<float>({nullptr, 1, 1 << 16, 1 << 15, 1}, 3, {}, nullptr, nullptr), DeviceError);
}

TEST(Profile, GemPool) { compare_gem_pool<__half>({2 * profile_batch(), 18, 9, 512}, 3); }

}  // namespace
}  // namespace tyto::kernels

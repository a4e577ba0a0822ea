#include "kernels/common/exponential.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tyto::kernels {
namespace {

TEST(Exponential, IsWithinTwoUlp) {
  for (float x = -87; x <= 88; x += 0.00137f) {
    const double want = std::exp(double{x}), ulp = std::ldexp(1.0, std::ilogb(want) - 23);
    ASSERT_NEAR(exponential(x), want, 2 * ulp) << x;
  }
  EXPECT_EQ(exponential(0), 1);
}

TEST(Exponential, SaturatesAndKeepsNaN) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(exponential(-88), 0);
  EXPECT_EQ(exponential(-1e38f), 0);
  EXPECT_EQ(exponential(-kInfinity), 0);
  EXPECT_EQ(exponential(89), kInfinity);
  EXPECT_EQ(exponential(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(exponential(std::numeric_limits<float>::quiet_NaN())));
}

}  // namespace
}  // namespace tyto::kernels

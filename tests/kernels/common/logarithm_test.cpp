#include "kernels/common/logarithm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tyto::kernels {
namespace {

void expect_within_two_ulp(float x) {
  const double want = std::log(double{x}), ulp = std::ldexp(1.0, std::ilogb(want) - 23);
  ASSERT_NEAR(logarithm(x), want, 2 * ulp) << x;
}

TEST(Logarithm, IsWithinTwoUlp) {
  for (uint32_t bits = 1; bits < 0x7F800000u; bits += 9973) expect_within_two_ulp(std::bit_cast<float>(bits));
  for (float x = 0.6f; x < 1.5f; x += 0x1p-15f) expect_within_two_ulp(x == 1 ? 2 : x);
  EXPECT_EQ(logarithm(1), 0);
}

TEST(Logarithm, HasItsLimits) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(logarithm(0), -kInfinity);
  EXPECT_EQ(logarithm(-0.0f), -kInfinity);
  EXPECT_EQ(logarithm(kInfinity), kInfinity);
  for (const float x : {-1e-45f, -1.0f, -kInfinity, std::numeric_limits<float>::quiet_NaN()})
    EXPECT_TRUE(std::isnan(logarithm(x))) << x;
}

}  // namespace
}  // namespace tyto::kernels

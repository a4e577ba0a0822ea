#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "kernels/common/device_error.h"
#include "kernels/cuda/nhwc_batch.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/elementwise/epilogue.h"
#include "support/every_activation.h"

namespace tyto::kernels {
namespace {

template <class T>
class FinishTest : public ::testing::Test {};
TYPED_TEST_SUITE(FinishTest, ElementTypes);

double activated(double v, Activation activation) {
  const double hard = std::min(std::max(v / 6 + 0.5, 0.0), 1.0), sigmoid = 1 / (1 + std::exp(-v));
  switch (activation) {
    case Activation::None:
      return v;
    case Activation::Relu:
      return std::max(v, 0.0);
    case Activation::Relu6:
      return std::min(std::max(v, 0.0), 6.0);
    case Activation::HardSigmoid:
      return hard;
    case Activation::HardSwish:
      return v * hard;
    case Activation::Sigmoid:
      return sigmoid;
    case Activation::Tanh:
      return std::tanh(v);
    case Activation::Silu:
      return v * sigmoid;
    case Activation::GeluErf:
      return v * std::erfc(-v / std::numbers::sqrt2) / 2;
    case Activation::GeluTanh:
      return v / (1 + std::exp(-std::sqrt(8 / std::numbers::pi) * (v + 0.044715 * v * v * v)));
  }
  return v;
}

// Of e^x or erf's three (two units in the last place are its own, one its argument's), then a sum, a quotient
// and two products; of the tanh in GeluTanh the argument's four weigh but a quarter.
constexpr double kActivationRoundings = 8;

template <class T>
void compare(const MapShape& shape, bool has_bias, bool has_residual, Activation activation,
             bool in_place = false) {
  NhwcBatch<T> x(shape, 1);
  const NhwcBatch<T> residual(shape, 2), bias({1, 1, 1, shape.channels}, 3);
  NhwcResult<T> y(shape);
  epilogue<T>(x.read(), has_bias ? bias.read().data : nullptr, has_residual ? residual.read().data : nullptr,
              activation, in_place ? x.data() : y.data(), nullptr);
  const std::vector<float> got = in_place ? x.download() : y.download();
  size_t at = 0;
  for_each_element(shape, [&](int64_t i, int64_t r, int64_t s, int64_t c) {
    const double u = x.at(i, r, s, c), v = has_residual ? residual.at(i, r, s, c) : 0.0,
                 b = has_bias ? bias.at(0, 0, 0, c) : 0.0, e = activated(u + v + b, activation);
    // Two additions, which an activation, whose slope stays below 2 for |v| < 8, at most doubles; its own.
    const double magnitude = 2 * (std::abs(u) + std::abs(v) + std::abs(b)) + 1;
    ASSERT_NEAR(got[at++], e, tolerance<T>(e, 2 + kActivationRoundings / 2, magnitude));
  });
}

TYPED_TEST(FinishTest, AddsResidualAndBiasThenActivates) {
  for (const MapShape& shape : awkward_shapes())
    for (bool bias : {false, true})
      for (bool residual : {false, true})
        for (Activation activation : kEveryActivation) compare<TypeParam>(shape, bias, residual, activation);
}

TYPED_TEST(FinishTest, RunsInPlace) {
  for (int64_t channels : {5, 16})
    compare<TypeParam>({2, 9, 5, channels}, true, true, Activation::Relu, true);
}

TYPED_TEST(FinishTest, MayOverwriteTheResidual) {
  NhwcBatch<TypeParam> x({1, 3, 3, 8}, 1), residual({1, 3, 3, 8}, 2);
  NhwcResult<TypeParam> y({1, 3, 3, 8});
  epilogue<TypeParam>(x.read(), nullptr, residual.data(), Activation::Relu, y.data(), nullptr);
  epilogue<TypeParam>(x.read(), nullptr, residual.data(), Activation::Relu, residual.data(), nullptr);
  EXPECT_EQ(residual.download(), y.download());
}

TYPED_TEST(FinishTest, TakesUnalignedMaps) {
  const MapShape shape = {1, 1, 2, 8};
  for (int64_t offset : {int64_t{0}, kUnaligned}) {
    const NhwcBatch<TypeParam> x(shape, 1, offset);
    NhwcResult<TypeParam> y(shape, kUnaligned - offset);
    epilogue<TypeParam>(x.read(), nullptr, nullptr, Activation::None, y.data(), nullptr);
    EXPECT_EQ(y.download(), x.values());
  }
}

TEST(Finish, NaNStaysNaN) {
  const NhwcBatch<float> x({1, 1, 1, 4}, std::vector<float>(4, std::numeric_limits<float>::quiet_NaN()));
  for (Activation activation : kEveryActivation) {
    NhwcResult<float> y({1, 1, 1, 4});
    epilogue<float>(x.read(), nullptr, nullptr, activation, y.data(), nullptr);
    for (float v : y.download()) EXPECT_TRUE(std::isnan(v));
  }
}

// Even where e^x or a cube overflows.
TEST(Finish, ActivatesValuesOfAnySize) {
  std::vector<float> values;
  for (float v = -20; v <= 20; v += 0x1p-5f) values.push_back(v);
  for (int exponent = -149; exponent < 128; ++exponent)
    for (float sign : {-1.0f, 1.0f}) values.push_back(sign * std::ldexp(1.0f, exponent));
  const MapShape shape = {1, 1, 1, static_cast<int64_t>(values.size())};
  const NhwcBatch<float> x(shape, values);
  for (Activation activation : kEveryActivation) {
    NhwcResult<float> y(shape);
    epilogue<float>(x.read(), nullptr, nullptr, activation, y.data(), nullptr);
    const std::vector<float> got = y.download();
    for (size_t i = 0; i < values.size(); ++i) {
      const bool near_a_half = activation == Activation::Sigmoid || activation == Activation::HardSigmoid;
      const double v = values[i], e = activated(v, activation);
      const double least = 0x1p-149;  // what the smallest floats are off by
      ASSERT_NEAR(got[i], e, least + tolerance<float>(e, kActivationRoundings, near_a_half ? 1 : std::abs(v)))
          << "activation " << static_cast<int>(activation) << " of " << v;
    }
  }
}

TEST(Finish, RefusesMoreThanAnIndexHolds) {
  EXPECT_THROW(epilogue<float>({nullptr, 1, 1 << 16, 1 << 15, 1}, nullptr, nullptr, Activation::None, nullptr,
                               nullptr),
               DeviceError);
}

TEST(Profile, Finish) { compare<__half>({profile_batch(), 28, 28, 128}, true, true, Activation::Relu6); }

}  // namespace
}  // namespace tyto::kernels

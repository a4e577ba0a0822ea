#include <gtest/gtest.h>

#include "kernels/common/device_error.h"
#include "kernels/cuda/nhwc_batch.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/elementwise/epilogue.h"

namespace tyto::kernels {
namespace {

template <class T>
class FinishTest : public ::testing::Test {};
TYPED_TEST_SUITE(FinishTest, ElementTypes);

double activated(double v, Activation activation) {
  const double hard = std::min(std::max(v / 6 + 0.5, 0.0), 1.0);
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
  }
  return v;
}

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
    // Two additions, then v * (v / 6 + 1/2) at most: its derivative stays below 2 for |v| < 8.
    const double magnitude = 2 * (std::abs(u) + std::abs(v) + std::abs(b)) + 1;
    ASSERT_NEAR(got[at++], e, tolerance<T>(e, 6, magnitude));
  });
}

TYPED_TEST(FinishTest, AddsResidualAndBiasThenActivates) {
  for (const MapShape& shape : awkward_shapes())
    for (bool bias : {false, true})
      for (bool residual : {false, true})
        for (Activation activation : {Activation::None, Activation::Relu, Activation::Relu6,
                                      Activation::HardSigmoid, Activation::HardSwish})
          compare<TypeParam>(shape, bias, residual, activation);
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
  for (Activation activation :
       {Activation::Relu, Activation::Relu6, Activation::HardSigmoid, Activation::HardSwish}) {
    NhwcResult<float> y({1, 1, 1, 4});
    epilogue<float>(x.read(), nullptr, nullptr, activation, y.data(), nullptr);
    for (float v : y.download()) EXPECT_TRUE(std::isnan(v));
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

#include "kernels/norm/softmax.h"

#include <gtest/gtest.h>

#include "kernels/common/device_error.h"
#include "kernels/cuda/array_batch.h"
#include "kernels/cuda/profile_batch.h"

namespace tyto::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class T>
class SoftmaxTest : public ::testing::Test {};
TYPED_TEST_SUITE(SoftmaxTest, ElementTypes);

template <class T>
std::vector<float> softmax_of(const std::vector<float>& values, const Axis& axis) {
  const ArrayBatch<T> x(values);
  NhwcResult<T> y({1, 1, 1, axis.elements()});
  softmax<T>(x.address(), axis, y.data(), nullptr);
  return y.download();
}

template <class T>
void compare(const Axis& axis, bool in_place = false, int64_t offset = 0) {
  SCOPED_TRACE(::testing::Message() << axis.outer << " " << axis.size << " " << axis.inner);
  std::vector<float> values = random_floats(axis.elements(), 1);
  for (float& v : values) v *= 3;
  ArrayBatch<T> x(values, offset);
  NhwcResult<T> y({1, 1, 1, axis.elements()}, offset);
  softmax<T>(x.address(), axis, in_place ? x.data() : y.data(), nullptr);
  const std::vector<float> got = in_place ? x.download() : y.download();
  for (int64_t o = 0; o < axis.outer; ++o)
    for (int64_t i = 0; i < axis.inner; ++i) {
      const auto at = [&](int64_t k) { return static_cast<size_t>((o * axis.size + k) * axis.inner + i); };
      double largest = -kInfinity, sum = 0;
      for (int64_t k = 0; k < axis.size; ++k) largest = std::max<double>(largest, x.values()[at(k)]);
      for (int64_t k = 0; k < axis.size; ++k) sum += std::exp(x.values()[at(k)] - largest);
      for (int64_t k = 0; k < axis.size; ++k) {
        const double from_largest = x.values()[at(k)] - largest, e = std::exp(from_largest) / sum;
        // All terms are positive: relative errors, of two e^x (two units each, and what a rounding of their
        // argument does), the sum, a quotient and a product.
        const double roundings = 2 * (2 - from_largest) + static_cast<double>(axis.size) + 2;
        ASSERT_NEAR(got[at(k)], e, tolerance<T>(e, roundings, e)) << o << " " << k << " " << i;
      }
    }
}

TYPED_TEST(SoftmaxTest, OfRowsEqualsTheReference) {
  for (int64_t rows : {0, 1, 9})
    for (int64_t size : {1, 7, 8, 33, 256, 264}) compare<TypeParam>({rows, size, 1});
}

// What a block takes, past its 2048 elements at once.
TYPED_TEST(SoftmaxTest, OfLongRowsEqualsTheReference) {
  for (int64_t size : {1024, 1025, 1032, 4104, 8193}) compare<TypeParam>({2, size, 1});
}

TYPED_TEST(SoftmaxTest, OfColumnsEqualsTheReference) {
  for (const Axis& axis : {Axis{1, 1, 2}, {2, 5, 3}, {3, 6, 100}, {1, 3, 257}, {0, 3, 2}})
    compare<TypeParam>(axis);
}

TYPED_TEST(SoftmaxTest, RunsInPlace) {
  for (const Axis& axis : {Axis{3, 40, 1}, {2, 1500, 1}, {2, 5, 7}}) compare<TypeParam>(axis, true);
}

TYPED_TEST(SoftmaxTest, TakesUnalignedRows) { compare<TypeParam>({2, 16, 1}, false, kUnaligned); }

TYPED_TEST(SoftmaxTest, OfValuesOfAnySizeIsFinite) {
  for (float v : {60000.0f, -60000.0f}) {
    for (const Axis& axis : {Axis{1, 4, 1}, {1, 2, 2}})
      EXPECT_EQ(softmax_of<TypeParam>(std::vector<float>(4, v), axis),
                std::vector<float>(4, axis.inner == 1 ? 0.25f : 0.5f));
  }
}

TYPED_TEST(SoftmaxTest, MinusInfinityTakesNoShareUnlessItIsAlone) {
  for (const Axis& axis : {Axis{2, 2, 1}, {1, 2, 2}}) {
    // Rows or columns of (-inf, 1) and (-inf, -inf).
    const std::vector<float> values = axis.inner == 1
                                          ? std::vector<float>{-kInfinity, 1, -kInfinity, -kInfinity}
                                          : std::vector<float>{-kInfinity, -kInfinity, 1, -kInfinity};
    const std::vector<float> got = softmax_of<TypeParam>(values, axis);
    const size_t second = axis.inner == 1 ? 1 : 2, alone = axis.inner == 1 ? 2 : 1;
    EXPECT_EQ(got[0], 0);
    EXPECT_EQ(got[second], 1);
    EXPECT_TRUE(std::isnan(got[alone]) && std::isnan(got[3]));
  }
}

TYPED_TEST(SoftmaxTest, ANaNSpreadsOverItsRowAndNoFurther) {
  std::vector<float> values(80, 1.0f);
  values[41] = std::nanf("");
  const std::vector<float> got = softmax_of<TypeParam>(values, {2, 40, 1});
  for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(std::isnan(got[i]), i >= 40);
}

TEST(Softmax, RefusesMoreThanAGridHolds) {
  EXPECT_THROW(softmax<float>(nullptr, {1, int64_t{1} << 31, 1}, nullptr, nullptr), DeviceError);
  EXPECT_THROW(softmax<float>(nullptr, {int64_t{1} << 35, 1, 1}, nullptr, nullptr), DeviceError);
  EXPECT_THROW(softmax<float>(nullptr, {int64_t{1} << 35, 1, 32}, nullptr, nullptr), DeviceError);
}

TEST(Profile, SoftmaxOfRows) { compare<__half>({64 * profile_batch(), 256, 1}); }
TEST(Profile, SoftmaxOfLongRows) { compare<__half>({2 * profile_batch(), 4096, 1}); }
TEST(Profile, SoftmaxOfColumns) { compare<__half>({profile_batch(), 16, 1024}); }

}  // namespace
}  // namespace tyto::kernels

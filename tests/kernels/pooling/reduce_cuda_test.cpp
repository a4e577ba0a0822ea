#include "kernels/pooling/reduce.h"

#include <gtest/gtest.h>

#include "kernels/common/device_error.h"
#include "kernels/cuda/array_batch.h"
#include "kernels/cuda/profile_batch.h"

namespace tyto::kernels {
namespace {

constexpr Reduction kReductions[] = {Reduction::Mean, Reduction::Max, Reduction::Sum};

template <class T>
class ReduceTest : public ::testing::Test {};
TYPED_TEST_SUITE(ReduceTest, ElementTypes);

template <class T>
void compare(const Axis& axis, Reduction reduction, int64_t offset = 0) {
  SCOPED_TRACE(::testing::Message() << axis.outer << " " << axis.size << " " << axis.inner << ", reduction "
                                    << static_cast<int>(reduction));
  std::vector<float> values = random_floats(axis.elements(), 1);
  if (reduction == Reduction::Max)
    for (float& v : values) v -= 10;  // what is read past the end would be the largest
  const ArrayBatch<T> x(values, offset);
  NhwcResult<T> y({1, 1, axis.outer, axis.inner});
  reduce<T>(x.address(), axis, reduction, y.data(), nullptr);
  const std::vector<float> got = y.download();
  for (int64_t o = 0; o < axis.outer; ++o)
    for (int64_t i = 0; i < axis.inner; ++i) {
      double sum = 0, magnitude = 0, largest = -std::numeric_limits<double>::infinity();
      for (int64_t k = 0; k < axis.size; ++k) {
        const double v = x.values()[static_cast<size_t>((o * axis.size + k) * axis.inner + i)];
        sum += v;
        magnitude += std::abs(v);
        largest = std::max(largest, v);
      }
      const auto size = static_cast<double>(axis.size), count = reduction == Reduction::Mean ? size : 1;
      const double e = reduction == Reduction::Max ? largest : sum / count;
      ASSERT_NEAR(got[static_cast<size_t>(o * axis.inner + i)], e,
                  reduction == Reduction::Max ? 0 : tolerance<T>(e, size + 1, magnitude / count))
          << o << " " << i;
    }
}

TYPED_TEST(ReduceTest, OfRowsEqualsTheReference) {
  for (Reduction reduction : kReductions)
    for (int64_t rows : {0, 1, 9})
      for (int64_t size : {1, 7, 8, 33, 264}) compare<TypeParam>({rows, size, 1}, reduction);
}

TYPED_TEST(ReduceTest, OfLongRowsEqualsTheReference) {
  for (Reduction reduction : kReductions)
    for (int64_t size : {1024, 1025, 2056}) compare<TypeParam>({2, size, 1}, reduction);
}

TYPED_TEST(ReduceTest, OfColumnsEqualsTheReference) {
  for (Reduction reduction : kReductions)
    for (const Axis& axis : {Axis{1, 1, 2}, {2, 5, 3}, {3, 70, 40}, {1, 300, 33}, {2, 9, 72}, {0, 3, 2}})
      compare<TypeParam>(axis, reduction);
}

TYPED_TEST(ReduceTest, TakesAnUnalignedArray) {
  compare<TypeParam>({2, 16, 1}, Reduction::Sum, kUnaligned);
  compare<TypeParam>({2, 3, 16}, Reduction::Sum, kUnaligned);
}

TYPED_TEST(ReduceTest, ANaNStays) {
  std::vector<float> values(80, 1.0f);
  values[41] = std::nanf("");
  const ArrayBatch<TypeParam> x(values);
  for (Reduction reduction : kReductions)
    for (const Axis& axis : {Axis{2, 40, 1}, {2, 20, 2}}) {
      NhwcResult<TypeParam> y({1, 1, axis.outer, axis.inner});
      reduce<TypeParam>(x.address(), axis, reduction, y.data(), nullptr);
      const std::vector<float> got = y.download();
      for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(std::isnan(got[i]), i == (axis.inner == 1 ? 1 : 3));
    }
}

TEST(Reduce, RefusesMoreThanAnIndexHolds) {
  EXPECT_THROW(reduce<float>(nullptr, {1 << 16, 1 << 15, 1}, Reduction::Sum, nullptr, nullptr), DeviceError);
}

TEST(Profile, ReduceRows) { compare<__half>({64 * profile_batch(), 256, 1}, Reduction::Mean); }
TEST(Profile, ReduceColumns) { compare<__half>({profile_batch(), 196, 384}, Reduction::Mean); }

}  // namespace
}  // namespace tyto::kernels

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include "kernels/common/device_error.h"
#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/layout/strided_copy.h"

namespace tyto::kernels {
namespace {

using Sizes = std::vector<int64_t>;

// Strides of a dense array of these sizes.
Sizes dense(const Sizes& sizes) {
  Sizes strides(sizes.size(), 1);
  for (size_t d = sizes.size(); d-- > 1;) strides[d - 1] = strides[d] * std::max<int64_t>(sizes[d], 1);
  return strides;
}

StridedBox<2> box_of(const Sizes& sizes, const Sizes& x, const Sizes& y) {
  StridedBox<2> box;
  box.rank = static_cast<int>(sizes.size());
  std::copy(sizes.begin(), sizes.end(), box.sizes.begin());
  std::copy(x.begin(), x.end(), box.strides[0].begin());
  std::copy(y.begin(), y.end(), box.strides[1].begin());
  return box;
}

// Dimension d of a dense y is dimension order[d] of a dense x.
StridedBox<2> permuted(const Sizes& x_sizes, const std::vector<size_t>& order) {
  const Sizes all = dense(x_sizes);
  Sizes sizes, strides;
  for (size_t d : order) {
    sizes.push_back(x_sizes[d]);
    strides.push_back(all[d]);
  }
  return box_of(sizes, strides, dense(sizes));
}

template <class T>
void compare(const StridedBox<2>& box, int64_t x_offset = 0, int64_t y_offset = 0) {
  constexpr T kUntouched = 7;
  std::vector<T> from(static_cast<size_t>(box.extent(0) + x_offset));
  std::iota(from.begin(), from.end(), static_cast<T>(0x8001));
  std::vector<T> want(static_cast<size_t>(box.extent(1) + y_offset), kUntouched);
  const DeviceArray<T> x(from);
  DeviceArray<T> y(want);
  for (int64_t i = 0, count = box.elements(); i < count; ++i) {
    std::array<int64_t, 2> at = {x_offset, y_offset};
    int64_t rest = i;
    for (int d = box.rank - 1; d >= 0; rest /= box.sizes[d--])
      for (size_t a = 0; a < at.size(); ++a) at[a] += rest % box.sizes[d] * box.strides[a][d];
    want[static_cast<size_t>(at[1])] = from[static_cast<size_t>(at[0])];
  }
  strided_copy(x.data() + x_offset, sizeof(T), box, y.data() + y_offset, nullptr);
  ASSERT_EQ(y.download(), want);
}

template <class T>
class StridedCopyTest : public ::testing::Test {};
using Elements = ::testing::Types<uint16_t, uint32_t>;
TYPED_TEST_SUITE(StridedCopyTest, Elements);

// Rows of every word; more, fewer and as many as a thread's and a block's.
TYPED_TEST(StridedCopyTest, CopiesRows) {
  for (int64_t width : {1, 2, 3, 4, 6, 8, 16, 20, 33})
    for (int64_t rows : {1, 4, 5, 67}) compare<TypeParam>(box_of({rows, width}, {width, 1}, {2 * width, 1}));
  compare<TypeParam>(box_of({2113}, {1}, {1}));
}

TYPED_TEST(StridedCopyTest, EveryPermutationOfFourDimensions) {
  std::vector<size_t> order = {0, 1, 2, 3};
  do {
    compare<TypeParam>(permuted({2, 3, 5, 4}, order));
    compare<TypeParam>(permuted({2, 9, 3, 11}, order));
  } while (std::next_permutation(order.begin(), order.end()));
}

// Tiles of 32 by 32, one more and one less, in both directions, and between other dimensions.
TYPED_TEST(StridedCopyTest, TransposesThroughTiles) {
  for (int64_t rows : {8, 31, 32, 33, 65})
    for (int64_t columns : {7, 8, 31, 32, 33, 65}) compare<TypeParam>(permuted({rows, columns}, {1, 0}));
  compare<TypeParam>(permuted({2, 33, 3, 9}, {0, 3, 2, 1}));
  compare<TypeParam>(permuted({2, 2, 9, 2, 3, 8}, {1, 5, 3, 0, 4, 2}));
}

TYPED_TEST(StridedCopyTest, SlicesAndWritesIntoPartOfALargerArray) {
  compare<TypeParam>(box_of({3, 5, 8}, {160, 24, 1}, {200, 40, 1}), 16, 8);  // rows of words
  compare<TypeParam>(box_of({3, 5, 8}, {161, 24, 1}, {200, 40, 1}), 3, 5);   // of single elements
  compare<TypeParam>(box_of({3, 4, 5}, {60, 10, 2}, {20, 5, 1}), 1, 0);      // every second
  compare<TypeParam>(box_of({3, 4, 5}, {20, 5, 1}, {60, 10, 2}), 0, 1);
  compare<TypeParam>(box_of({9, 10}, {2, 40}, {30, 2}), 1, 1);  // every second, transposed
}

TYPED_TEST(StridedCopyTest, RepeatsAlongAnyDimension) {
  compare<TypeParam>(box_of({3, 4, 8}, {0, 8, 1}, {32, 8, 1}));
  compare<TypeParam>(box_of({3, 4, 8}, {8, 0, 1}, {32, 8, 1}));
  compare<TypeParam>(box_of({12, 16}, {1, 0}, {16, 1}));
  compare<TypeParam>(box_of({2, 3}, {0, 0}, {3, 1}));
}

TYPED_TEST(StridedCopyTest, TakesDimensionsInAnyOrder) {
  compare<TypeParam>(box_of({8, 3, 4}, {1, 32, 8}, {1, 32, 8}));
  compare<TypeParam>(box_of({4, 8, 3}, {8, 1, 32}, {8, 1, 32}));
}

TYPED_TEST(StridedCopyTest, TakesUnalignedArrays) {
  for (int64_t offset : {1, 2, 4}) {
    compare<TypeParam>(box_of({3, 16}, {16, 1}, {16, 1}), offset, 0);
    compare<TypeParam>(box_of({3, 16}, {16, 1}, {16, 1}), 0, offset);
  }
}

TYPED_TEST(StridedCopyTest, CopiesOneElementAndNone) {
  compare<TypeParam>(box_of({}, {}, {}));
  compare<TypeParam>(box_of({1, 1}, {5, 1}, {5, 1}));
  compare<TypeParam>(box_of({0, 4}, {4, 1}, {4, 1}));
  compare<TypeParam>(box_of({4, 0}, {0, 1}, {0, 1}));
}

TEST(StridedCopy, RefusesMoreThanAnIndexHoldsAndElementsOfOneByte) {
  EXPECT_THROW(strided_copy(nullptr, 4, box_of({1 << 16, 1 << 15}, {0, 1}, {1 << 15, 1}), nullptr, nullptr),
               DeviceError);
  EXPECT_THROW(strided_copy(nullptr, 1, {}, nullptr, nullptr), DeviceError);
}

TEST(Profile, StridedCopyOfRows) {
  const int64_t n = profile_batch();
  compare<uint16_t>(box_of({n, 28 * 28, 48}, {28 * 28 * 48, 48, 1}, {28 * 28 * 96, 96, 1}));
}
TEST(Profile, StridedCopyThroughTiles) {
  compare<uint16_t>(permuted({profile_batch(), 256, 4, 32}, {0, 2, 3, 1}));
}

}  // namespace
}  // namespace tyto::kernels

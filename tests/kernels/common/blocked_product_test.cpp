#include "kernels/common/blocked_product.h"

#include <gtest/gtest.h>

#include <vector>

namespace tyto::kernels {
namespace {

// Whole numbers, of which products and sums are exact: every level has the same.
template <class C>
std::vector<C> whole_numbers(int64_t count, uint32_t seed) {
  std::vector<C> values(static_cast<size_t>(count));
  for (C& v : values) v = static_cast<C>(static_cast<int>((seed = seed * 1664525u + 1013904223u) >> 28) - 8);
  return values;
}

template <class C>
std::vector<ProductLevel<C>> levels() {
  ProductLevel<C> all[3];
  return {all, all + product_levels(all)};
}

struct Sizes {
  int64_t rows, columns, depth;
};
std::vector<Sizes> unkind_sizes() {
  std::vector<Sizes> sizes = {{0, 5, 3}, {3, 0, 5}, {5, 40, 0}, {12, 32, 8}, {24, 96, 7}};
  for (int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 23, 25})
    for (int64_t columns : {1, 4, 8, 9, 16, 17, 31, 33, 65}) sizes.push_back({rows, columns, 1 + rows % 5});
  return sizes;
}

// A by rows or by columns, B packed from rows or from columns, C in rows with a gap.
template <class C>
void compare(const ProductLevel<C>& level, const Sizes& s, bool a_by_columns, bool b_by_columns,
             bool accumulate) {
  SCOPED_TRACE(::testing::Message() << level.name << " " << s.rows << "x" << s.columns << "x" << s.depth
                                    << (a_by_columns ? ", A by columns" : "")
                                    << (b_by_columns ? ", B by columns" : "")
                                    << (accumulate ? ", added" : ""));
  constexpr int64_t kGap = 3;
  constexpr C kUntouched = 77;
  const int64_t a_stride = (a_by_columns ? s.rows : s.depth) + kGap;
  const int64_t b_stride = (b_by_columns ? s.depth : s.columns) + kGap, c_stride = s.columns + kGap;
  const std::vector<C> a = whole_numbers<C>((s.rows + s.depth + kGap) * a_stride, 1);
  const std::vector<C> b = whole_numbers<C>((s.columns + s.depth + kGap) * b_stride, 2);
  std::vector<C> packed(static_cast<size_t>(packed_elements(s.depth, s.columns)), kUntouched);
  (b_by_columns ? pack_columns<C> : pack_rows<C>)(b.data(), b_stride, s.depth, s.columns, 2, packed.data());
  std::vector<C> c(static_cast<size_t>((s.rows + 1) * c_stride), kUntouched);
  level.product({.rows = s.rows,
                 .columns = s.columns,
                 .depth = s.depth,
                 .a = a.data(),
                 .a_row = a_by_columns ? 1 : a_stride,
                 .a_column = a_by_columns ? a_stride : 1,
                 .b = packed.data(),
                 .b_panel = s.depth * kProductPanel,
                 .c = c.data(),
                 .c_row = c_stride,
                 .accumulate = accumulate});
  for (int64_t i = 0; i <= s.rows; ++i)
    for (int64_t j = 0; j < c_stride; ++j) {
      const bool inside = i < s.rows && j < s.columns;
      C want = inside && !accumulate ? 0 : kUntouched;
      for (int64_t k = 0; inside && k < s.depth; ++k)
        want += 2 * a[static_cast<size_t>(a_by_columns ? k * a_stride + i : i * a_stride + k)] *
                b[static_cast<size_t>(b_by_columns ? j * b_stride + k : k * b_stride + j)];
      ASSERT_EQ(c[static_cast<size_t>(i * c_stride + j)], want) << i << " " << j;
    }
}

template <class C>
class BlockedProductOf : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(BlockedProductOf, Types);

TYPED_TEST(BlockedProductOf, EqualsTheLoopOnEveryLevel) {
  using C = TypeParam;
  for (const ProductLevel<C>& level : levels<C>())
    for (const Sizes& sizes : unkind_sizes())
      for (bool a_by_columns : {false, true})
        for (bool b_by_columns : {false, true})
          compare(level, sizes, a_by_columns, b_by_columns, a_by_columns == b_by_columns);
}

TYPED_TEST(BlockedProductOf, PacksZerosBesideB) {
  using C = TypeParam;
  constexpr int64_t kDepth = 6, kColumns = 37;
  const std::vector<C> b = whole_numbers<C>(kDepth * kColumns, 1);
  for (const auto& pack : {pack_rows<C>, pack_columns<C>}) {
    std::vector<C> packed(static_cast<size_t>(packed_elements(kDepth, kColumns)), 77);
    pack(b.data(), pack == pack_rows<C> ? kColumns : kDepth, kDepth, kColumns, 1, packed.data());
    for (size_t k = 0; k < kDepth; ++k)
      for (size_t j = kColumns - kProductPanel; j < kProductPanel; ++j)
        EXPECT_EQ(packed[(kDepth + k) * kProductPanel + j], 0) << k << " " << j;
  }
}

TYPED_TEST(BlockedProductOf, ReadsRowsOfBWhereTheyStand) {
  using C = TypeParam;
  constexpr int64_t kDepth = 5, kColumns = 70, kStride = 80;
  const std::vector<C> a = whole_numbers<C>(kDepth, 1), b = whole_numbers<C>(kDepth * kStride, 2);
  for (const ProductLevel<C>& level : levels<C>()) {
    std::vector<C> c(kColumns);
    level.product({.rows = 1,
                   .columns = kColumns,
                   .depth = kDepth,
                   .a = a.data(),
                   .a_row = kDepth,
                   .b = b.data(),
                   .b_row = kStride,
                   .b_panel = kProductPanel,
                   .c = c.data(),
                   .c_row = kColumns});
    for (size_t j = 0; j < kColumns; ++j) {
      C want = 0;
      for (size_t k = 0; k < kDepth; ++k) want += a[k] * b[k * kStride + j];
      ASSERT_EQ(c[j], want) << level.name << " " << j;
    }
  }
}

TYPED_TEST(BlockedProductOf, ElementHasTheSameBitsWhereverItStands) {
  using C = TypeParam;
  constexpr int64_t kRows = 29, kColumns = 75, kDepth = 37;
  std::vector<C> a(kRows * kDepth), b(kDepth * kColumns), packed(3 * kDepth * kProductPanel);
  for (int64_t k = 0; k < kDepth; ++k) {  // all rows and all columns are equal
    for (int64_t i = 0; i < kRows; ++i) a[static_cast<size_t>(i * kDepth + k)] = 1 / static_cast<C>(k + 3);
    for (int64_t j = 0; j < kColumns; ++j)
      b[static_cast<size_t>(k * kColumns + j)] = 1 / static_cast<C>(k + 7);
  }
  pack_rows(b.data(), kColumns, kDepth, kColumns, 1, packed.data());
  for (const ProductLevel<C>& level : levels<C>()) {
    std::vector<C> c(kRows * kColumns, C{0.1f});
    level.product({.rows = kRows,
                   .columns = kColumns,
                   .depth = kDepth,
                   .a = a.data(),
                   .a_row = kDepth,
                   .b = packed.data(),
                   .b_panel = kDepth * kProductPanel,
                   .c = c.data(),
                   .c_row = kColumns,
                   .accumulate = true});
    EXPECT_EQ(c, std::vector<C>(c.size(), c[0])) << level.name;
  }
}

}  // namespace
}  // namespace tyto::kernels

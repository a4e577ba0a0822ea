#include "kernels/common/blocked_product.h"

#include <gtest/gtest.h>

#include <vector>

namespace tyto::kernels {
namespace {

// Whole numbers, of which products and sums are exact: every level has the same.
std::vector<float> whole_numbers(int64_t count, uint32_t seed) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values)
    v = static_cast<float>(static_cast<int>((seed = seed * 1664525u + 1013904223u) >> 28) - 8);
  return values;
}

std::vector<ProductLevel> levels() {
  ProductLevel all[3];
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
void compare(const ProductLevel& level, const Sizes& s, bool a_by_columns, bool b_by_columns,
             bool accumulate) {
  SCOPED_TRACE(::testing::Message() << level.name << " " << s.rows << "x" << s.columns << "x" << s.depth
                                    << (a_by_columns ? ", A by columns" : "")
                                    << (b_by_columns ? ", B by columns" : "")
                                    << (accumulate ? ", added" : ""));
  constexpr int64_t kGap = 3;
  constexpr float kUntouched = 77;
  const int64_t a_stride = (a_by_columns ? s.rows : s.depth) + kGap;
  const int64_t b_stride = (b_by_columns ? s.depth : s.columns) + kGap, c_stride = s.columns + kGap;
  const std::vector<float> a = whole_numbers((s.rows + s.depth + kGap) * a_stride, 1);
  const std::vector<float> b = whole_numbers((s.columns + s.depth + kGap) * b_stride, 2);
  std::vector<float> packed(static_cast<size_t>(packed_floats(s.depth, s.columns)), kUntouched);
  (b_by_columns ? pack_columns : pack_rows)(b.data(), b_stride, s.depth, s.columns, 2, packed.data());
  std::vector<float> c(static_cast<size_t>((s.rows + 1) * c_stride), kUntouched);
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
      float want = inside && !accumulate ? 0 : kUntouched;
      for (int64_t k = 0; inside && k < s.depth; ++k)
        want += 2 * a[static_cast<size_t>(a_by_columns ? k * a_stride + i : i * a_stride + k)] *
                b[static_cast<size_t>(b_by_columns ? j * b_stride + k : k * b_stride + j)];
      ASSERT_EQ(c[static_cast<size_t>(i * c_stride + j)], want) << i << " " << j;
    }
}

TEST(BlockedProduct, EqualsTheLoopOnEveryLevel) {
  for (const ProductLevel& level : levels())
    for (const Sizes& sizes : unkind_sizes())
      for (bool a_by_columns : {false, true})
        for (bool b_by_columns : {false, true})
          compare(level, sizes, a_by_columns, b_by_columns, a_by_columns == b_by_columns);
}

TEST(BlockedProduct, PacksZerosBesideB) {
  constexpr int64_t kDepth = 6, kColumns = 37;
  const std::vector<float> b = whole_numbers(kDepth * kColumns, 1);
  for (const auto& pack : {pack_rows, pack_columns}) {
    std::vector<float> packed(static_cast<size_t>(packed_floats(kDepth, kColumns)), 77);
    pack(b.data(), pack == pack_rows ? kColumns : kDepth, kDepth, kColumns, 1, packed.data());
    for (size_t k = 0; k < kDepth; ++k)
      for (size_t j = kColumns - kProductPanel; j < kProductPanel; ++j)
        EXPECT_EQ(packed[(kDepth + k) * kProductPanel + j], 0) << k << " " << j;
  }
}

TEST(BlockedProduct, ReadsRowsOfBWhereTheyStand) {
  constexpr int64_t kDepth = 5, kColumns = 70, kStride = 80;
  const std::vector<float> a = whole_numbers(kDepth, 1), b = whole_numbers(kDepth * kStride, 2);
  for (const ProductLevel& level : levels()) {
    std::vector<float> c(kColumns);
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
      float want = 0;
      for (size_t k = 0; k < kDepth; ++k) want += a[k] * b[k * kStride + j];
      ASSERT_EQ(c[j], want) << level.name << " " << j;
    }
  }
}

TEST(BlockedProduct, ElementHasTheSameBitsWhereverItStands) {
  constexpr int64_t kRows = 29, kColumns = 75, kDepth = 37;
  std::vector<float> a(kRows * kDepth), b(kDepth * kColumns), packed(3 * kDepth * kProductPanel);
  for (int64_t k = 0; k < kDepth; ++k) {  // all rows and all columns are equal
    for (int64_t i = 0; i < kRows; ++i)
      a[static_cast<size_t>(i * kDepth + k)] = 1.0f / static_cast<float>(k + 3);
    for (int64_t j = 0; j < kColumns; ++j)
      b[static_cast<size_t>(k * kColumns + j)] = 1.0f / static_cast<float>(k + 7);
  }
  pack_rows(b.data(), kColumns, kDepth, kColumns, 1, packed.data());
  for (const ProductLevel& level : levels()) {
    std::vector<float> c(kRows * kColumns, 0.1f);
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
    EXPECT_EQ(c, std::vector<float>(c.size(), c[0])) << level.name;
  }
}

}  // namespace
}  // namespace tyto::kernels

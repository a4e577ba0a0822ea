#include "kernels/losses/row_products.h"

#include <gtest/gtest.h>

#include "kernels/losses/row_products_case.h"

namespace tyto::kernels {
namespace {

template <class C>
struct OnCpu {
  const RowSets<C>& s;

  RowPairs<C> pairs(bool one) const {
    return {s.a.data(), one ? s.a.data() : s.b.data(), s.a_rows, one ? s.a_rows : s.b_rows, s.width};
  }
  std::vector<char> workspace(bool one) const {
    const RowPairs<C> p = pairs(one);
    return std::vector<char>(static_cast<size_t>(row_pairs_cpu_workspace<C>(p.a_rows, p.b_rows, p.width)));
  }
  std::vector<C> products(bool one) const {
    std::vector<C> to(static_cast<size_t>(s.a_rows * pairs(one).b_rows));
    row_products_cpu(pairs(one), to.data(), workspace(one).data());
    return to;
  }
  std::vector<C> distances(bool one) const {
    std::vector<C> to(static_cast<size_t>(s.a_rows * pairs(one).b_rows));
    row_distances_cpu(pairs(one), to.data(), workspace(one).data());
    return to;
  }
  std::vector<C> sums(SumOver over, bool add) const {
    std::vector<C> to(static_cast<size_t>((over == SumOver::B ? s.a_rows : s.b_rows) * s.width));
    weighted_rows_cpu(pairs(false), s.weights.data(), over, false, to.data(), workspace(false).data());
    if (add)
      weighted_rows_cpu(pairs(false), s.weights.data(), over, true, to.data(), workspace(false).data());
    return to;
  }
};

template <class C>
class RowProducts : public testing::Test {};
using Types = testing::Types<double, float>;
TYPED_TEST_SUITE(RowProducts, Types);

TYPED_TEST(RowProducts, EqualPlainLoops) {
  for (const auto& [n, m, d] : {std::array<int64_t, 3>{0, 3, 5},
                                {3, 0, 5},
                                {1, 1, 1},
                                {2, 7, 0},
                                {33, 65, 17},
                                {64, 31, 64},
                                {129, 66, 300},
                                {5, 130, 33}}) {
    SCOPED_TRACE(testing::Message() << n << " x " << m << " x " << d);
    const RowSets<TypeParam> sets(n, m, d);
    check_row_products(sets, OnCpu<TypeParam>{sets});
  }
}

TYPED_TEST(RowProducts, GiveEqualRowsTheDistanceZero) {
  const RowSets<TypeParam> sets(3, 5, 700);
  const auto distances = OnCpu<TypeParam>{sets}.distances(false);
  EXPECT_EQ(distances[4], 0);
  const auto own = OnCpu<TypeParam>{sets}.distances(true);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(own[i * 3 + i], 0);
}

TYPED_TEST(RowProducts, KeepTheDigitsOfCloseRows) {
  RowSets<TypeParam> sets(1, 1, 100);
  sets.b = sets.a;
  for (auto& v : sets.b) v += static_cast<TypeParam>(0x1p-14);  // exact for floats of size 1
  sets.a = sets.b;
  for (auto& v : sets.a) v -= static_cast<TypeParam>(0x1p-14);
  EXPECT_NEAR(OnCpu<TypeParam>{sets}.distances(false)[0], 10 * 0x1p-14, 1e-5 * 0x1p-14 + 10 * 0x1p-24);
}

TYPED_TEST(RowProducts, TurnSlopesIntoWeights) {
  constexpr int64_t kRows = 37;
  const RowSets<TypeParam> sets(kRows, kRows, 4);
  std::vector<TypeParam> distances = OnCpu<TypeParam>{sets}.distances(true), slopes = sets.weights;
  distances[3 * kRows + 5] = distances[5 * kRows + 3] = 0;
  for (int64_t i = 0; i < kRows; ++i) slopes[i * kRows + i] = 0;
  std::vector<TypeParam> weights = slopes;
  distance_weights_cpu(distances.data(), kRows, weights.data());
  expect_weights(weights, weights_by_definition(distances, slopes, kRows), kRows);
  weights = slopes;
  product_weights_cpu(kRows, weights.data());
  for (int64_t i = 0; i < kRows; ++i)
    for (int64_t j = 0; j < kRows; ++j)
      ASSERT_EQ(weights[i * kRows + j], slopes[i * kRows + j] + slopes[j * kRows + i]);
}

}  // namespace
}  // namespace tyto::kernels

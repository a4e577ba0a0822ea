#include "kernels/losses/row_products.h"

#include <gtest/gtest.h>

#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/losses/row_products_case.h"

namespace tyto::kernels {
namespace {

template <class C>
struct OnDevice {
  const RowSets<C>& s;
  DeviceArray<C> a{s.a}, b{s.b}, weights{s.weights};

  explicit OnDevice(const RowSets<C>& sets) : s(sets) {}

  RowPairs<C> pairs(bool one) const {
    return {a.data(), one ? a.data() : b.data(), s.a_rows, one ? s.a_rows : s.b_rows, s.width};
  }
  DeviceArray<char> workspace(bool one) const {
    const RowPairs<C> p = pairs(one);
    return DeviceArray<char>(row_pairs_workspace<C>(p.a_rows, p.b_rows, p.width));
  }
  std::vector<C> products(bool one) const {
    DeviceArray<C> to(s.a_rows * pairs(one).b_rows);
    auto lent = workspace(one);
    row_products(pairs(one), to.data(), lent.data(), nullptr);
    return to.download();
  }
  std::vector<C> distances(bool one) const {
    DeviceArray<C> to(s.a_rows * pairs(one).b_rows);
    auto lent = workspace(one);
    row_distances(pairs(one), to.data(), lent.data(), nullptr);
    return to.download();
  }
  std::vector<C> sums(SumOver over, bool add) const {
    DeviceArray<C> to((over == SumOver::B ? s.a_rows : s.b_rows) * s.width);
    auto lent = workspace(false);
    weighted_rows(pairs(false), weights.data(), over, false, to.data(), lent.data(), nullptr);
    if (add) weighted_rows(pairs(false), weights.data(), over, true, to.data(), lent.data(), nullptr);
    return to.download();
  }
};

template <class C>
class RowProducts : public testing::Test {};
using Types = testing::Types<double, float>;
TYPED_TEST_SUITE(RowProducts, Types);

// Of 103 rows with themselves the tile beside the diagonal is 39 columns wide, written twice. The last has
// its depth cut into pieces, one of them short; with 513 weights the sums' too.
TYPED_TEST(RowProducts, EqualPlainLoops) {
  for (const auto& [n, m, d] :
       {std::array<int64_t, 3>{0, 3, 5}, {1, 1, 1}, {103, 3, 17}, {3, 513, 2}, {2, 3, 530}}) {
    SCOPED_TRACE(testing::Message() << n << " x " << m << " x " << d);
    const RowSets<TypeParam> sets(n, m, d);
    check_row_products(sets, OnDevice<TypeParam>(sets));
  }
}

TYPED_TEST(RowProducts, GiveEqualRowsTheDistanceZero) {
  const RowSets<TypeParam> sets(3, 5, 70);
  const OnDevice<TypeParam> device(sets);
  EXPECT_EQ(device.distances(false)[4], 0);
  const auto own = device.distances(true);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(own[i * 3 + i], 0);
}

template <class C>
void weigh(int64_t n) {
  const RowSets<C> sets(n, n, 4);
  std::vector<C> distances = OnDevice<C>(sets).distances(true), slopes = sets.weights;
  if (n > 5) distances[3 * n + 5] = distances[5 * n + 3] = 0;
  for (int64_t i = 0; i < n; ++i) slopes[i * n + i] = 0;
  const DeviceArray<C> device_distances(distances);
  DeviceArray<C> weights(slopes), sums(slopes);
  distance_weights(device_distances.data(), n, weights.data(), nullptr);
  expect_weights(weights.download(), weights_by_definition(distances, slopes, n), n);
  product_weights(n, sums.data(), nullptr);
  const std::vector<C> got = sums.download();
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) ASSERT_EQ(got[i * n + j], slopes[i * n + j] + slopes[j * n + i]);
}

TYPED_TEST(RowProducts, TurnSlopesIntoWeights) {
  for (const int64_t n : {1, 37, 64}) weigh<TypeParam>(n);
}

TEST(Profile, RowProducts) {
  const RowSets<float> sets(64 * profile_batch(), 64, 512);
  const OnDevice<float> device(sets);
  device.products(true);
  device.distances(false);
  device.sums(SumOver::B, false);
  device.sums(SumOver::A, false);
  weigh<float>(128);
}

}  // namespace
}  // namespace tyto::kernels

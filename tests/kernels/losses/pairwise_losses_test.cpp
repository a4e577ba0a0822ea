#include <gtest/gtest.h>
#include <omp.h>

#include "kernels/losses/pairwise_checks.h"

namespace tyto::kernels::pairs {
namespace {

template <class Loss>
class PairwiseLoss : public testing::Test {};
TYPED_TEST_SUITE(PairwiseLoss, PairwiseLosses);

TEST(PairwiseLosses, GiveTheGoldenNumbers) { check_golden_numbers<OnCpu>(); }
TYPED_TEST(PairwiseLoss, EqualsReference) { check_sizes<OnCpu, TypeParam>(); }
TYPED_TEST(PairwiseLoss, EqualsReferenceOnUglyBatches) { check_ugly_batches<OnCpu, TypeParam>(); }
TYPED_TEST(PairwiseLoss, IsNotANumberForAFaultAndSaysWhichRow) { check_faults<OnCpu, TypeParam>(); }
TYPED_TEST(PairwiseLoss, NeedsNeitherRowsNorAGradient) { check_what_may_be_missing<OnCpu, TypeParam>(); }

TYPED_TEST(PairwiseLoss, RoundsAsItsTypeDoes) {
  const Batch b = random_batch(19, 5, 6);
  check_against_reference<OnCpu, float, TypeParam>(b, 8);
  check_against_reference<OnCpu, Half, TypeParam>(b, 8);
  check_against_reference<OnCpu, BFloat16, TypeParam>(b, 8);
}

TYPED_TEST(PairwiseLoss, HasTheGradientOfCentralDifferences) {
  if (std::is_same_v<TypeParam, Circle>) GTEST_SKIP() << "its gradient is not that of its value";
  Batch b = golden_batch({0, 0, 0, 1, 1, 2, 2, 3});
  for (const auto& options : kinds_of<TypeParam>())
    expect_gradient(b.features, OnCpu::run<double, TypeParam>(b, options).gradient,
                    [&](const std::vector<double>& x) {
                      b.features = x;
                      return OnCpu::run<double, TypeParam>(b, options, 1, false).value;
                    });
}

TYPED_TEST(PairwiseLoss, DoesNotDependOnTheNumberOfThreads) {
  const Batch b = random_batch(70, 5, 9);
  for (const auto& options : kinds_of<TypeParam>()) {
    const LossRun many = OnCpu::run<float, TypeParam>(b, options);
    const int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    const LossRun one = OnCpu::run<float, TypeParam>(b, options);
    omp_set_num_threads(threads);
    EXPECT_EQ(one.value, many.value);
    EXPECT_EQ(one.gradient, many.gradient);
  }
}

// Along a direction, by differences.
TEST(PairwiseLosses, TakeABatchOf4096Rows) {
  const Batch b = random_batch(4096, 8, 1024), along = random_batch(4096, 8, 1024, 2);
  const LossRun run = OnCpu::run<double, Lifted>(b, {});
  EXPECT_NEAR(run.value, Lifted::reference(rows_of<double>(b), b.labels, {}), 1e-12 * run.value);
  constexpr double kStep = 1e-5;
  const auto value = [&](double by) {
    Batch moved = b;
    for (size_t i = 0; i < b.features.size(); ++i) moved.features[i] += by * along.features[i];
    return OnCpu::run<double, Lifted>(moved, {}, 1, false).value;
  };
  double slope = 0, size = 0;
  for (size_t i = 0; i < b.features.size(); ++i) {
    slope += run.gradient[i] * along.features[i];
    size += std::abs(run.gradient[i] * along.features[i]);
  }
  EXPECT_NEAR(slope, (value(kStep) - value(-kStep)) / (2 * kStep), 1e-6 * size);
}

}  // namespace
}  // namespace tyto::kernels::pairs

#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/losses/pairwise_checks.h"

namespace tyto::kernels::pairs {
namespace {

struct OnDevice {
  template <class T, class Loss>
  static LossRun run(const Batch& b, const typename Loss::Options& options, double scale = 1,
                     bool gradient = true) {
    const DeviceArray<Stored<T>> features(stored<T>(b.features));
    const DeviceArray<int32_t> labels(b.labels);
    DeviceArray<Stored<T>> to(gradient ? features.size() : 0);
    DeviceArray<char> lent(Loss::template workspace<T>(b.rows, b.width, options));
    DeviceArray<Computed<T>> value(1);
    DeviceArray<LossStatus> status(std::vector<LossStatus>{0});
    Loss::template device<T>(
        {reinterpret_cast<const T*>(features.data()), labels.data(), b.rows, b.width}, options,
        {value.data(), gradient ? reinterpret_cast<T*>(to.data()) : nullptr, scale, status.data()},
        lent.data());
    return {value.download()[0], doubles<T>(to.download()), status.download()[0]};
  }
};

template <class Loss>
class PairwiseLoss : public testing::Test {};
TYPED_TEST_SUITE(PairwiseLoss, PairwiseLosses);

TEST(PairwiseLosses, GiveTheGoldenNumbers) { check_golden_numbers<OnDevice>(); }
TYPED_TEST(PairwiseLoss, EqualsReference) { check_sizes<OnDevice, TypeParam>(); }
TYPED_TEST(PairwiseLoss, EqualsReferenceOnUglyBatches) { check_ugly_batches<OnDevice, TypeParam>(); }
TYPED_TEST(PairwiseLoss, IsNotANumberForAFaultAndSaysWhichRow) { check_faults<OnDevice, TypeParam>(); }
TYPED_TEST(PairwiseLoss, NeedsNeitherRowsNorAGradient) { check_what_may_be_missing<OnDevice, TypeParam>(); }

TYPED_TEST(PairwiseLoss, RoundsAsItsTypeDoes) {
  const Batch b = random_batch(9, 5, 4);
  check_against_reference<OnDevice, float, TypeParam>(b, 8);
  check_against_reference<OnDevice, Half, TypeParam>(b, 8);
  check_against_reference<OnDevice, BFloat16, TypeParam>(b, 8);
}

TYPED_TEST(PairwiseLoss, GivesTheSameBitsAgain) {
  const Batch b = random_batch(37, 5, 9);
  for (const auto& options : kinds_of<TypeParam>()) {
    const LossRun first = OnDevice::run<float, TypeParam>(b, options);
    const LossRun again = OnDevice::run<float, TypeParam>(b, options);
    EXPECT_EQ(first.value, again.value);
    EXPECT_EQ(first.gradient, again.gradient);
  }
}

// More anchors than a block of totals has threads, and columns than a block of means.
TEST(PairwiseLosses, TakeMoreRowsThanABlockHasThreads) {
  const Batch b = random_batch(259, 258, 65);
  const auto expect_cpu = [&](const LossRun& got, const LossRun& want) {
    EXPECT_NEAR(got.value, want.value, 1e-12 * want.value);
    double largest = 0;
    for (double g : want.gradient) largest = std::max(largest, std::abs(g));
    for (size_t i = 0; i < want.gradient.size(); ++i)
      ASSERT_NEAR(got.gradient[i], want.gradient[i], 1e-11 * largest);
  };
  expect_cpu(OnDevice::run<double, Triplet>(b, {}), OnCpu::run<double, Triplet>(b, {}));
  expect_cpu(OnDevice::run<double, Instance>(b, {.by_identity = true}),
             OnCpu::run<double, Instance>(b, {.by_identity = true}));
}

// Under one schedule: 16 million pairs.
TEST(PairwiseLosses, TakeABatchOf4096Rows) {
  const char* schedule = std::getenv("TYTO_SCHEDULE");
  if (schedule == nullptr || std::string_view(schedule) != "forward") GTEST_SKIP();
  const Batch b = random_batch(4096, 8, 1024);
  const LossRun got = OnDevice::run<float, Lifted>(b, {}), want = OnCpu::run<double, Lifted>(b, {});
  expect_like<float, Lifted>(got, want, b);
}

TEST(Profile, PairwiseLosses) {
  const Batch b = random_batch(64 * profile_batch(), 32, 16 * profile_batch());
  OnDevice::run<float, Circle>(b, {});
  OnDevice::run<float, Triplet>(b, {});
  OnDevice::run<float, Contrastive>(b, {});
  OnDevice::run<float, Lifted>(b, {});
  OnDevice::run<float, Instance>(b, {.by_identity = true});
  OnDevice::run<float, BatchHardTriplet>(b, {});
  OnDevice::run<float, WeightedRegularizedTriplet>(b, {});
}

}  // namespace
}  // namespace tyto::kernels::pairs

// What every loss over pairs is checked for, on the CPU and on the device under test.
#pragma once

#include <limits>
#include <type_traits>

#include "kernels/losses/gradient_check.h"
#include "kernels/losses/pairwise_references.h"

namespace tyto::kernels::pairs {

using PairwiseLosses = testing::Types<Circle, Triplet, Contrastive, Lifted, Instance, BatchHardTriplet,
                                      WeightedRegularizedTriplet>;

// Both options of the two losses that have such.
template <class Loss>
std::vector<typename Loss::Options> kinds_of() {
  if constexpr (std::is_same_v<Loss, Triplet>) return {{.mined = true}, {.mined = false}};
  if constexpr (std::is_same_v<Loss, Instance>) return {{.by_identity = false}, {.by_identity = true}};
  return {{}};
}

// Of what T stores, below which its roundings are absolute.
template <class T>
inline constexpr double kSmallest = std::is_same_v<T, Half> ? 0x1p-24 : 0;

// A measure is wrong by at most width + 4 roundings of its terms' sizes, which add up to about 1 (raw rows of
// normal numbers: to their length, which the gradient's errors are divided by again); a sum over rows adds as
// many. Steepness makes of it an error of a slope. What T stores is rounded once more.
template <class T, class Loss>
void expect_like(const LossRun& got, const LossRun& want, const Batch& b) {
  const double relative =
      kRounding<Computed<T>> * static_cast<double>(2 * b.width + b.rows + 16) * Loss::kSteepness;
  double largest = 0;
  for (double g : want.gradient) largest = std::max(largest, std::abs(g));
  EXPECT_EQ(got.status, 0u);
  EXPECT_NEAR(got.value, want.value, relative * (1 + std::abs(want.value)));
  ASSERT_EQ(got.gradient.size(), want.gradient.size());
  for (size_t i = 0; i < want.gradient.size(); ++i)
    ASSERT_NEAR(got.gradient[i], want.gradient[i],
                4 * relative * (largest + 0.125) + kRounding<T> * std::abs(want.gradient[i]) + kSmallest<T>)
        << i;
}

template <class Device, class T, class Loss>
void check_against_reference(const Batch& drawn, double scale = 1) {
  const Batch b = stored_batch<T>(drawn);
  for (const auto& options : kinds_of<Loss>()) {
    SCOPED_TRACE(testing::Message() << b.rows << " x " << b.width);
    expect_like<T, Loss>(Device::template run<T, Loss>(b, options, scale),
                         by_reference<Loss>(b, options, scale), b);
  }
}

// Sizes: one row, one below, at and past a warp and what CPU threads take at once.
template <class Device, class Loss>
void check_sizes() {
  for (const auto& [rows, identities] : {std::pair{1, 1}, {2, 1}, {7, 3}, {8, 3}, {32, 11}, {35, 12}})
    check_against_reference<Device, double, Loss>(random_batch(rows, 3, identities));
}

template <class Device, class Loss>
void check_ugly_batches() {
  check_against_reference<Device, double, Loss>(random_batch(33, 3, 33));  // no positives
  Batch twins = random_batch(12, 4, 4);
  for (int i = 4; i < 12; ++i)  // rows 0 and 1 again, in their labels and in others
    std::copy_n(twins.features.begin() + (i % 3 == 0 ? 0 : 4), 4, twins.features.begin() + 4 * i);
  check_against_reference<Device, double, Loss>(twins);
}

template <class Device, class Loss>
void check_faults() {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const Batch whole = random_batch(9, 4, 3);
  for (const auto& options : kinds_of<Loss>()) {
    const auto expect_nan = [&](const Batch& b, const char* message) {
      const LossRun run = Device::template run<double, Loss>(b, options);
      EXPECT_TRUE(std::isnan(run.value));
      for (double g : run.gradient) EXPECT_TRUE(std::isnan(g));
      EXPECT_EQ(describe(run.status), message);
    };
    Batch b = whole;
    b.features[4 * 5 + 1] = std::nan("");
    b.features[4 * 7 + 1] = kInfinity;
    expect_nan(b, "features: row 5 holds a value that is not finite");
    b = whole;
    b.features[4 * 8 + 3] = -kInfinity;
    expect_nan(b, "features: row 8 holds a value that is not finite");
    b = whole;
    b.labels[6] = -1;
    const LossRun run = Device::template run<double, Loss>(b, options);
    EXPECT_TRUE(std::isnan(run.value));
    EXPECT_EQ(run.status, loss_status(LossFault::Label, LossInput::Labels, 6));
  }
}

// Without rows, and without a gradient.
template <class Device, class Loss>
void check_what_may_be_missing() {
  constexpr bool kNan = std::is_same_v<Loss, Instance> || std::is_same_v<Loss, WeightedRegularizedTriplet>;
  for (const auto& options : kinds_of<Loss>()) {
    const LossRun none = Device::template run<double, Loss>({0, 4, {}, {}}, options);
    EXPECT_TRUE(kNan ? std::isnan(none.value) : none.value == 0) << none.value;
    const Batch b = random_batch(9, 4, 3);
    EXPECT_EQ((Device::template run<double, Loss>(b, options, 1, false).value),
              (Device::template run<double, Loss>(b, options).value));
  }
}

// Value and the gradient's length, to the digits that are printed.
struct Golden {
  double value, value_digit, length, length_digit;
};

template <class Device, class Loss>
void expect_golden(const Batch& b, const typename Loss::Options& options, const Golden& golden) {
  const LossRun run = Device::template run<double, Loss>(b, options);
  EXPECT_NEAR(run.value, golden.value, golden.value_digit * 0.500001);
  EXPECT_NEAR(frobenius(run.gradient), golden.length, golden.length_digit * 0.500001);
}

// reid.md, sections 2 and 4.3; then what the code itself
// gives in double (layumi's instance_loss.py, AGW's loss.py; the last, of which AGW makes an error, is ours).
template <class Device>
void check_golden_numbers() {
  const Batch b = golden_batch({0, 0, 0, 1, 1, 2, 2, 3});
  expect_golden<Device, Circle>(b, {}, {47.023863981, 1e-9, 35.859166791, 1e-9});
  expect_golden<Device, Triplet>(b, {}, {0.382354847, 1e-9, 0.334532976, 1e-9});
  expect_golden<Device, Triplet>(b, {.mined = false}, {0.286834585, 1e-9, 0.302669766, 1e-9});
  expect_golden<Device, Contrastive>(b, {}, {1.449906294, 1e-9, 0.829920369, 1e-9});
  expect_golden<Device, Lifted>(b, {}, {2.779136701, 1e-9, 0.285978289, 1e-9});
  expect_golden<Device, Instance>(b, {}, {0.000025516, 1e-9, 0.000458949, 1e-9});
  const Batch two_modalities = golden_batch({0, 0, 1, 1, 0, 0, 1, 1});
  expect_golden<Device, BatchHardTriplet>(two_modalities, {}, {0.7360927506, 1e-10, 0.7544291221, 1e-10});
  expect_golden<Device, WeightedRegularizedTriplet>(two_modalities, {},
                                                    {0.6691020932, 1e-10, 0.2569070508, 1e-10});

  expect_golden<Device, Instance>(b, {.by_identity = true}, {0.000000000983, 1e-12, 0.000000012815, 1e-12});
  expect_golden<Device, Instance>(b, {.gamma = 2, .by_identity = true},
                                  {0.544327982955, 1e-12, 0.273773847419, 1e-12});
  const Batch alone = golden_batch({0, 0, 1, 2, 0, 3, 1, 1});  // two identities have one row
  expect_golden<Device, BatchHardTriplet>(alone, {}, {0.5438042765, 1e-10, 0.6008027397, 1e-10});
  expect_golden<Device, WeightedRegularizedTriplet>(alone, {}, {0.5230660522, 1e-10, 0.2409798347, 1e-10});
  const Batch one = golden_batch(Labels(8, 5));
  expect_golden<Device, WeightedRegularizedTriplet>(one, {}, {2.5053883347, 1e-10, 0.5319645892, 1e-10});
  expect_golden<Device, BatchHardTriplet>(one, {}, {0, 1e-12, 0, 1e-12});
}

}  // namespace tyto::kernels::pairs

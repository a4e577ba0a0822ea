// A loss of labelled rows as its tests call it: doubles in, doubles out, whatever the type and the device, so
// that one body judges the CPU's twin and the device under test.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/common/host_elements.h"
#include "kernels/losses/gradient_check.h"
#include "kernels/losses/loss.h"

namespace tyto::kernels {

struct LabelledBatch {
  std::vector<double> features;  // [rows, width]
  std::vector<int32_t> labels;   // [rows]
  double scale = 1;

  int64_t rows() const { return static_cast<int64_t>(labels.size()); }
  int64_t width() const { return rows() == 0 ? 3 : static_cast<int64_t>(features.size()) / rows(); }
};

struct LossResult {
  double value = 0;
  std::vector<double> gradient;
  LossStatus status = 0;
};

using RunLoss = std::function<LossResult(const LabelledBatch&)>;

// The batch of the golden numbers: f[i][d] = sin(0.37 (i + 1) (d + 1)) + 0.05 i.
inline LabelledBatch golden_batch(std::vector<int32_t> labels = {0, 0, 0, 1, 1, 2, 2, 3}) {
  LabelledBatch batch{.labels = std::move(labels)};
  for (int i = 0; i < 8; ++i)
    for (int d = 0; d < 6; ++d) batch.features.push_back(std::sin(0.37 * (i + 1) * (d + 1)) + 0.05 * i);
  return batch;
}

// Normal features, `classes` labels in turn from an arbitrary first one.
inline LabelledBatch random_batch(int64_t rows, int64_t width, int classes, uint32_t seed = 5) {
  std::mt19937 random(seed);
  std::normal_distribution<float> of;
  LabelledBatch batch;
  for (int64_t i = 0; i < rows * width; ++i) batch.features.push_back(of(random));
  for (int64_t i = 0; i < rows; ++i) batch.labels.push_back(static_cast<int32_t>(5000 - 7 * (i % classes)));
  return batch;
}

inline double norm_of(const std::vector<double>& v) {
  double squares = 0;
  for (double x : v) squares += x * x;
  return std::sqrt(squares);
}

// Half of the printed digits' last place.
inline void expect_golden(const LossResult& got, double value, double gradient_norm, double last = 5.1e-10) {
  EXPECT_NEAR(got.value, value, last);
  EXPECT_NEAR(norm_of(got.gradient), gradient_norm, last);
  EXPECT_EQ(got.status, 0u);
}

inline void expect_central_differences(const RunLoss& run, const LabelledBatch& batch, size_t most = 48) {
  const LossResult got = run(batch);
  ASSERT_TRUE(std::isfinite(got.value));
  expect_gradient(
      batch.features, got.gradient,
      [&](const std::vector<double>& x) {
        LabelledBatch moved = batch;
        moved.features = x;
        return run(moved).value;
      },
      256, most);
}

inline void expect_nothing(const LossResult& got) {
  EXPECT_EQ(got.value, 0);
  EXPECT_EQ(got.status, 0u);
  for (double g : got.gradient) EXPECT_EQ(g, 0);
}

inline void expect_fault(const LossResult& got, const std::string& text) {
  EXPECT_EQ(describe(got.status), text);
  EXPECT_TRUE(std::isnan(got.value));
  for (double g : got.gradient) EXPECT_TRUE(std::isnan(g));
}

// What every loss over the pairs of a batch owes its caller.
inline void check_faults_of_pairs(const RunLoss& run) {
  LabelledBatch batch = golden_batch();
  batch.features[5 * 6 + 2] = std::numeric_limits<double>::quiet_NaN();
  batch.features[6 * 6] = std::numeric_limits<double>::infinity();
  expect_fault(run(batch), "features: row 5 holds a value that is not finite");
  batch = golden_batch();
  batch.labels[3] = -1;
  expect_fault(run(batch), "labels: row 3 is out of range");
}

// A batch in T as it is rounded, beside the same numbers in double.
template <class T>
LabelledBatch rounded_batch(LabelledBatch batch) {
  uint64_t held = 0;
  T* const element = reinterpret_cast<T*>(&held);
  for (double& v : batch.features) {
    set_host_element(element, 0, static_cast<Computed<T>>(v));
    v = host_element(element, 0);
  }
  return batch;
}

// value and gradients: the share of their own size, or of the largest gradient, by which they may differ.
inline void expect_close(const LossResult& got, const LossResult& want, double of_value, double of_gradient) {
  EXPECT_NEAR(got.value, want.value, of_value * std::abs(want.value));
  double largest = 0;
  for (double g : want.gradient) largest = std::max(largest, std::abs(g));
  ASSERT_EQ(got.gradient.size(), want.gradient.size());
  for (size_t i = 0; i < got.gradient.size(); ++i)
    ASSERT_NEAR(got.gradient[i], want.gradient[i], of_gradient * largest) << i;
}

// Half a unit in the last place of 1 in T.
template <class T>
inline constexpr double kHalfUlp = std::numeric_limits<T>::epsilon() / 2;
template <>
inline constexpr double kHalfUlp<Half> = 0x1p-11;
template <>
inline constexpr double kHalfUlp<BFloat16> = 0x1p-8;

// call(in, out, workspace) is the loss's CPU twin, workspace(rows, width) its query.
template <class T, class Call, class Bytes>
LossResult run_on_cpu(const LabelledBatch& batch, const Call& call, const Bytes& workspace) {
  using C = Computed<T>;
  const int64_t n = batch.rows(), size = n * batch.width();
  std::vector<C> values(static_cast<size_t>(size)), gradient(values.size());
  for (int64_t i = 0; i < size; ++i)
    set_host_element(reinterpret_cast<T*>(values.data()), i, static_cast<C>(batch.features[i]));
  std::vector<char> lent(static_cast<size_t>(workspace(n, batch.width())) + 256);
  LossResult result;
  C value = -1;
  const LabelledRows<T> in{reinterpret_cast<const T*>(values.data()), batch.labels.data(), n, batch.width()};
  call(in, LossOutput<T>{&value, reinterpret_cast<T*>(gradient.data()), batch.scale, &result.status},
       lent.data());
  C alone = -1;
  call(in, LossOutput<T>{.value = &alone}, lent.data());
  EXPECT_TRUE(alone == value || std::isnan(value)) << "without a gradient";
  result.value = value;
  for (int64_t i = 0; i < size; ++i)
    result.gradient.push_back(host_element(reinterpret_cast<const T*>(gradient.data()), i));
  return result;
}

}  // namespace tyto::kernels

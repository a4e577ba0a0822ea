// What identity_and_cmdc_loss has to be, for any run(logits, features' batch, loss), which returns a
// TotalResult.
#pragma once

#include <gtest/gtest.h>

#include "kernels/losses/center_losses_case.h"
#include "kernels/losses/gradient_check.h"
#include "kernels/losses/identity_and_cmdc.h"

namespace tyto::kernels {

struct TotalResult {
  std::vector<double> values, logits_gradient, features_gradient;
  std::string status;
};

inline constexpr int64_t kIdentities = 5;

inline std::vector<double> golden_logits() {
  std::vector<double> logits;
  for (int i = 0; i < 8; ++i)
    for (int c = 0; c < kIdentities; ++c) logits.push_back(2 * std::sin(0.9 * i + 1.7 * c));
  return logits;
}

template <class Run>
void check_identity_and_cmdc(const Run& run) {
  const CenterBatch batch = golden_batch();
  const std::vector<double> logits = golden_logits();
  const TotalResult got = run(logits, batch, IdentityAndCmdcLoss{});
  double identity = 0;
  for (int64_t i = 0; i < 8; ++i) {
    double sum = 0;
    for (int64_t c = 0; c < kIdentities; ++c) sum += std::exp(logits[i * kIdentities + c]);
    for (int64_t c = 0; c < kIdentities; ++c) {
      const double target = (c == batch.labels[i] ? 0.9 : 0) + 0.1 / kIdentities;
      identity -= target * (logits[i * kIdentities + c] - std::log(sum)) / 8;
    }
  }
  EXPECT_EQ(got.status, "");
  EXPECT_NEAR(got.values[1], identity, 1e-14);
  EXPECT_NEAR(got.values[2], 0.5568615646, 0.5000001e-10);
  EXPECT_NEAR(got.values[0], identity + 3 * got.values[2], 1e-14);
  expect_gradient(
      logits, got.logits_gradient,
      [&](const auto& x) { return run(x, batch, IdentityAndCmdcLoss{}).values[0]; }, 64, 8);
  expect_gradient(
      batch.features, got.features_gradient,
      [&](const auto& x) {
        CenterBatch moved = batch;
        moved.features = x;
        return run(logits, moved, IdentityAndCmdcLoss{}).values[0];
      },
      64, 8);
}

template <class Run>
void check_faults_of_either_loss(const Run& run) {
  std::vector<double> logits = golden_logits();
  logits[9] = std::numeric_limits<double>::quiet_NaN();
  const TotalResult got = run(logits, golden_batch(), IdentityAndCmdcLoss{});
  EXPECT_EQ(got.status, "logits: row 1 holds a value that is not finite");
  EXPECT_TRUE(std::isnan(got.values[0]));
  EXPECT_TRUE(std::isnan(got.values[1]));
  EXPECT_NEAR(got.values[2], 0.5568615646, 0.5000001e-10);
  EXPECT_TRUE(std::isnan(got.logits_gradient[5]));
  for (double g : got.features_gradient) EXPECT_TRUE(std::isfinite(g));
  CenterBatch batch = golden_batch();
  batch.modalities[6] = -1;
  const TotalResult other = run(golden_logits(), batch, IdentityAndCmdcLoss{});
  EXPECT_EQ(other.status, "modalities: row 6 is out of range");
  EXPECT_TRUE(std::isnan(other.values[0]));
  EXPECT_TRUE(std::isfinite(other.values[1]));
  EXPECT_TRUE(std::isnan(other.values[2]));
}

}  // namespace tyto::kernels

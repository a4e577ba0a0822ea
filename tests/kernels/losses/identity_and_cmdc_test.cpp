#include "kernels/losses/identity_and_cmdc_checks.h"

namespace tyto::kernels {
namespace {

TotalResult run(const std::vector<double>& logits, const CenterBatch& batch, const IdentityAndCmdcLoss& p) {
  TotalResult r{.values = std::vector<double>(3),
                .logits_gradient = std::vector<double>(logits.size()),
                .features_gradient = std::vector<double>(batch.features.size()),
                .status = {}};
  std::vector<char> workspace(
      static_cast<size_t>(identity_and_cmdc_loss_cpu_workspace<double>(batch.rows, batch.width)) + 256);
  void* memory = workspace.data();
  size_t room = workspace.size();
  std::align(256, room - 256, memory, room);
  LossStatus status = 0;
  identity_and_cmdc_loss_cpu<double>(
      {.logits = {logits.data(), batch.labels.data(), batch.rows, kIdentities},
       .features = {batch.features.data(), batch.labels.data(), batch.rows, batch.width},
       .modalities = batch.modalities.data(),
       .learned = {}},
      p,
      {.values = r.values.data(),
       .logits_gradient = r.logits_gradient.data(),
       .features_gradient = r.features_gradient.data(),
       .status = &status},
      memory);
  r.status = describe(status);
  return r;
}

TEST(IdentityAndCmdcLoss, IsTheWeightedSum) { check_identity_and_cmdc(run); }
TEST(IdentityAndCmdcLoss, TellsWhichOfTheTwoIsUnsound) { check_faults_of_either_loss(run); }

}  // namespace
}  // namespace tyto::kernels

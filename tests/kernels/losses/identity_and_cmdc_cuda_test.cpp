#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/losses/identity_and_cmdc_checks.h"

namespace tyto::kernels {
namespace {

template <class T>
TotalResult run_in(const std::vector<double>& logits, const CenterBatch& batch,
                   const IdentityAndCmdcLoss& p) {
  using C = Computed<T>;
  const DeviceArray<T> of_identity(std::vector<T>(logits.begin(), logits.end()));
  const DeviceArray<T> features(std::vector<T>(batch.features.begin(), batch.features.end()));
  const DeviceArray<int32_t> labels(batch.labels), modalities(batch.modalities);
  DeviceArray<C> values(3);
  DeviceArray<T> logits_gradient(of_identity.size()), features_gradient(features.size());
  DeviceArray<LossStatus> status(std::vector<LossStatus>{0});
  DeviceArray<unsigned char> workspace(identity_and_cmdc_loss_workspace<T>(batch.rows, batch.width));
  identity_and_cmdc_loss<T>({.logits = {of_identity.data(), labels.data(), batch.rows,
                                        static_cast<int64_t>(logits.size()) / batch.rows},
                             .features = {features.data(), labels.data(), batch.rows, batch.width},
                             .modalities = modalities.data(),
                             .learned = {}},
                            p,
                            {.values = values.data(),
                             .logits_gradient = logits_gradient.data(),
                             .features_gradient = features_gradient.data(),
                             .status = status.data()},
                            workspace.data(), nullptr);
  const auto doubles = [](const auto& from) {
    const auto all = from.download();
    return std::vector<double>(all.begin(), all.end());
  };
  return {doubles(values), doubles(logits_gradient), doubles(features_gradient),
          describe(status.download()[0])};
}

TEST(IdentityAndCmdcLoss, IsTheWeightedSum) { check_identity_and_cmdc(run_in<double>); }
TEST(IdentityAndCmdcLoss, TellsWhichOfTheTwoIsUnsound) { check_faults_of_either_loss(run_in<double>); }

TEST(Profile, IdentityAndCmdcLoss) {
  const CenterBatch batch = random_batch(32 * profile_batch(), 64, 4);
  const TotalResult got = run_in<float>(std::vector<double>(static_cast<size_t>(batch.rows * 12)), batch, {});
  EXPECT_NEAR(got.values[0], got.values[1] + 3 * got.values[2], 1e-6);
}

}  // namespace
}  // namespace tyto::kernels

#include "kernels/cuda/profile_batch.h"
#include "kernels/losses/circle_checks.h"
#include "kernels/losses/labelled_device.h"

namespace tyto::kernels {
namespace {

template <class T>
LossResult run(const LabelledBatch& batch) {
  return run_on_device<T>(
      batch,
      [](const auto& in, const auto& out, void* workspace) {
        circle_loss<T>(in, {}, out, workspace, nullptr);
      },
      circle_loss_workspace<T>);
}

TEST(CircleLoss, HasTheGoldenNumbers) { check_circle(run<double>); }
TEST(CircleLoss, IsNothingWithoutPositivesOrNegatives) { check_circle_alone(run<double>); }
TEST(CircleLoss, HasTheGradientOfHeldBrackets) { check_circle_gradient(run<double>); }
TEST(CircleLoss, NamesWhatIsNotFiniteOrOutOfRange) { check_faults_of_pairs(run<float>); }

TEST(CircleLoss, IsTheDoubleLossInEveryType) {
  check_circle_type<float>(run<float>, run<double>);
  check_circle_type<Half>(run<Half>, run<double>);
  check_circle_type<BFloat16>(run<BFloat16>, run<double>);
}

TEST(Profile, CircleLoss) { run<float>(random_batch(64 * profile_batch(), 512, 16)); }

}  // namespace
}  // namespace tyto::kernels

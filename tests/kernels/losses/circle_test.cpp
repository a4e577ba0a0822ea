#include <omp.h>

#include "kernels/losses/circle_checks.h"

namespace tyto::kernels {
namespace {

template <class T>
LossResult run(const LabelledBatch& batch) {
  return run_on_cpu<T>(
      batch,
      [](const auto& in, const auto& out, void* workspace) { circle_loss_cpu<T>(in, {}, out, workspace); },
      circle_loss_cpu_workspace<T>);
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

TEST(CircleLoss, HasTheSameBitsOnAnyNumberOfThreads) {
  const LabelledBatch batch = random_batch(131, 70, 9);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const LossResult one = run<float>(batch);
  omp_set_num_threads(3);
  const LossResult three = run<float>(batch);
  omp_set_num_threads(threads);
  EXPECT_EQ(one.value, three.value);
  EXPECT_EQ(one.gradient, three.gradient);
}

TEST(CircleLoss, OfFourThousandRowsIsFinite) {
  const LabelledBatch batch = random_batch(4096, 8, 512);
  EXPECT_NEAR(run<float>(batch).value, circle_by_definition(batch, 0.25, 32), 1e-3);
}

}  // namespace
}  // namespace tyto::kernels

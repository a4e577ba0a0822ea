#include "kernels/detection/class_scores.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/self_test/tolerance.h"
#include "kernels/detection/random_boxes.h"

namespace tyto::kernels {
namespace {

double expected(const float* row, int64_t classes, int64_t c, ScoreFunction function) {
  if (function == ScoreFunction::Sigmoid) return 1 / (1 + std::exp(-double{row[c]}));
  double sum = 0;
  for (int64_t k = 0; k < classes; ++k) sum += std::exp(double{row[k]});
  return std::exp(double{row[c]}) / sum;
}

TEST(ClassScores, EqualTheReferenceAndLeaveTheBackgroundOut) {
  Numbers numbers(3);
  for (ScoreFunction function : {ScoreFunction::Softmax, ScoreFunction::Sigmoid})
    for (int64_t n : {0, 1, 2})
      for (int64_t count : {1, 15, 16, 17, 33})
        for (int64_t classes : {2, 3, 91}) {
          const auto logits = numbers.vector(n * count * classes, -9, 9);
          std::vector<float> scores(static_cast<size_t>(n * (classes - 1) * count));
          class_scores_cpu(logits.data(), n, count, classes, {function}, scores.data());
          for (int64_t image = 0; image < n; ++image)
            for (int64_t c = 1; c < classes; ++c)
              for (int64_t i = 0; i < count; ++i) {
                const double want = expected(&logits[static_cast<size_t>((image * count + i) * classes)],
                                             classes, c, function);
                const float got = scores[static_cast<size_t>((image * (classes - 1) + c - 1) * count + i)];
                // The difference to the maximum, up to 18, is rounded before the exponential: 18 ulp of 1,
                // relative.
                ASSERT_NEAR(got, want, want * (18 * 0x1p-24 + sum_tolerance(Precision::Fp32, 91, 1)));
              }
        }
}

TEST(ClassScores, OfHugeLogitsDoNotOverflow) {
  const float logits[] = {1e30f, -1e30f, 3e38f, 500, 500, 499};
  float scores[4];
  class_scores_cpu(logits, 1, 2, 3, {}, scores);
  EXPECT_EQ(scores[0], 0);  // class 1 of the first anchor
  EXPECT_EQ(scores[2], 1);  // its class 2
  EXPECT_NEAR(scores[1], 1 / (2 + std::exp(-1.0)), 1e-6);
  class_scores_cpu(logits, 1, 2, 3, {ScoreFunction::Sigmoid}, scores);
  EXPECT_EQ(scores[0], 0);
  EXPECT_EQ(scores[2], 1);
}

TEST(ClassScores, InfinitiesGiveNaNAsInTorch) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float logits[] = {0, infinity, 1, -infinity, -infinity, -infinity, 0, -infinity, 0};
  float scores[6];
  class_scores_cpu(logits, 1, 3, 3, {}, scores);
  EXPECT_TRUE(std::isnan(scores[0]) && std::isnan(scores[3]));
  EXPECT_TRUE(std::isnan(scores[1]) && std::isnan(scores[4]));
  EXPECT_EQ(scores[2], 0);
  EXPECT_EQ(scores[5], 0.5f);
}

TEST(ClassScores, ANaNAmongTheLogitsSpoilsItsRowAlone) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (int64_t at = 0; at < 3; ++at) {
    float logits[] = {1, 2, 3, 1, 2, 3}, scores[4];
    logits[at] = nan;
    class_scores_cpu(logits, 1, 2, 3, {}, scores);
    EXPECT_TRUE(std::isnan(scores[0]) && std::isnan(scores[2])) << at;
    EXPECT_TRUE(std::isfinite(scores[1]) && std::isfinite(scores[3])) << at;
  }
}

}  // namespace
}  // namespace tyto::kernels

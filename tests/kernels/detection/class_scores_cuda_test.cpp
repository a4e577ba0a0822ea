#include "kernels/detection/class_scores.h"

#include <gtest/gtest.h>

#include <limits>

#include "kernels/common/device_error.h"
#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/cuda/random_values.h"
#include "kernels/detection/random_boxes.h"

namespace tyto::kernels {
namespace {

void expect_same_as_cpu(const std::vector<float>& logits, int64_t n, int64_t count, int64_t classes,
                        ScoreFunction function) {
  std::vector<float> want(static_cast<size_t>(n * (classes - 1) * count));
  class_scores_cpu(logits.data(), n, count, classes, {function}, want.data());
  const DeviceArray<float> device_logits(logits);
  DeviceArray<float> scores(static_cast<int64_t>(want.size()));
  class_scores(device_logits.data(), n, count, classes, {function}, scores.data(), nullptr);
  EXPECT_EQ(bits(scores.download()), bits(want)) << n << " x " << count << " x " << classes;
}

constexpr ScoreFunction kFunctions[] = {ScoreFunction::Softmax, ScoreFunction::Sigmoid};

TEST(ClassScores, HaveTheBitsOfTheCpu) {
  Numbers numbers(3);
  for (ScoreFunction function : kFunctions)
    for (int64_t n : {0, 1, 3})
      for (int64_t count : {0, 1, 31, 128, 129})
        for (int64_t classes : {1, 2, 3, 32, 91, 129})
          expect_same_as_cpu(numbers.vector(n * count * classes, -60, 60), n, count, classes, function);
}

TEST(ClassScores, OfRowsThatFillSharedMemory) {
  Numbers numbers(4);
  for (ScoreFunction function : kFunctions)
    for (int64_t classes : {383, 1500, 7000, 12287})
      expect_same_as_cpu(numbers.vector(2 * 3 * classes, -9, 9), 2, 3, classes, function);
  EXPECT_THROW(class_scores(nullptr, 1, 1, 12288, {}, nullptr, nullptr), DeviceError);
}

TEST(ClassScores, TreatNaNAndInfinityAsTheCpuDoes) {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  std::vector<float> logits = {-infinity, -infinity, -infinity, 1e30f, -1e30f, 3e38f};
  for (float odd : {nan, infinity, -infinity, -0.0f, 3e38f, -3e38f, 1e-45f})
    for (size_t at = 0; at < 3; ++at) {
      float row[3] = {1, 2, 3};
      row[at] = odd;
      logits.insert(logits.end(), row, row + 3);
    }
  for (ScoreFunction function : kFunctions)
    expect_same_as_cpu(logits, 1, static_cast<int64_t>(logits.size()) / 3, 3, function);
}

TEST(Profile, ClassScores) {
  Numbers numbers(5);
  for (ScoreFunction function : kFunctions)
    expect_same_as_cpu(numbers.vector(profile_batch() * 8732 * 21, -9, 9), profile_batch(), 8732, 21,
                       function);
}

}  // namespace
}  // namespace tyto::kernels

#include "kernels/image/flip.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/cuda/random_values.h"

namespace tyto::kernels {
namespace {

void expect_the_values_of_the_cpu(int64_t rows, int64_t width) {
  const std::vector<float> values = random_floats(rows * width, 1);
  std::vector<float> expected(values.size());
  flip_horizontal_cpu(values.data(), rows, width, expected.data());

  const DeviceArray<float> in(values);
  DeviceArray<float> out(rows * width);
  flip_horizontal(in.data(), rows, width, out.data(), nullptr);

  EXPECT_EQ(out.download(), expected) << rows << " rows of " << width;
}

TEST(FlipHorizontal, HasTheValuesOfTheCpu) {
  for (int64_t rows : {0, 1, 3, 257})
    for (int64_t width : {0, 1, 2, 31, 256, 257}) expect_the_values_of_the_cpu(rows, width);
}

TEST(Profile, FlipHorizontal) { expect_the_values_of_the_cpu(profile_batch() * 3 * 256, 128); }

}  // namespace
}  // namespace tyto::kernels

#include "kernels/image/bicubic.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/cuda/random_values.h"

namespace tyto::kernels {
namespace {

void expect_the_bits_of_the_cpu(const BicubicParams& p) {
  const int64_t outputs = p.planes * bicubic_size(p.height, p.scale) * bicubic_size(p.width, p.scale);
  const std::vector<float> values = random_floats(p.planes * p.height * p.width, 1);
  std::vector<float> expected(static_cast<size_t>(outputs));
  bicubic_cpu(values.data(), expected.data(), p);

  const DeviceArray<float> in(values);
  DeviceArray<float> out(outputs);
  bicubic(in.data(), out.data(), p, nullptr);

  EXPECT_EQ(bits(out.download()), bits(expected))
      << p.planes << " planes of " << p.height << " x " << p.width << ", by " << p.scale;
}

TEST(Bicubic, HasTheBitsOfTheCpu) {
  for (int64_t planes : {0, 1, 3, 4, 5, 9})
    for (double scale : {1.0, std::sqrt(1.1), std::sqrt(0.75), 2.0, 1 / 3.0})
      expect_the_bits_of_the_cpu({planes, 7, 11, scale});
  for (int64_t width : {1, 2, 3, 127, 128, 129}) {
    expect_the_bits_of_the_cpu({2, 3, width, 1.3});
    expect_the_bits_of_the_cpu({1, width, 2, 1});
  }
  expect_the_bits_of_the_cpu({1, 5, 600, 0.21});
}

TEST(Bicubic, RefusesAnEmptyOutput) {
  EXPECT_THROW(bicubic(nullptr, nullptr, {1, 4, 4, 0.2}, nullptr), std::invalid_argument);
  EXPECT_THROW(bicubic(nullptr, nullptr, {1, 0, 4, 1}, nullptr), std::invalid_argument);
}

TEST(Profile, Bicubic) {
  const auto planes = static_cast<int>(6 * profile_batch());
  expect_the_bits_of_the_cpu({planes, 256, 128, std::sqrt(1.1)});
  expect_the_bits_of_the_cpu({planes, 256, 128, std::sqrt(0.75)});
}

}  // namespace
}  // namespace tyto::kernels

#include "kernels/retrieval/normalize_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cuda/device_array.h"
#include "kernels/cuda/profile_batch.h"
#include "kernels/cuda/random_values.h"

namespace tyto::kernels {
namespace {

constexpr int64_t kCountBefore = 5;  // the kernel adds to it

void expect_the_bits_of_the_cpu(const std::vector<float>& values, int64_t n, int64_t width) {
  std::vector<float> expected = values;
  const int64_t broken = normalize_rows_cpu(expected.data(), n, width);

  DeviceArray<float> rows(values);
  DeviceArray<int64_t> not_finite(std::vector<int64_t>{kCountBefore});
  normalize_rows(rows.data(), n, width, not_finite.data(), nullptr);
  const std::vector<float> got = rows.download();
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(got[i]) && std::isnan(expected[i])) continue;  // a NaN is a NaN
    ASSERT_EQ(got[i], expected[i]) << i << " of width " << width;
  }
  EXPECT_EQ(not_finite.download(), std::vector<int64_t>{kCountBefore + broken});
}

TEST(NormalizeRows, HasTheBitsOfTheCpu) {
  for (int64_t n : {0, 1, 3, 4, 5, 11})
    for (int64_t width : {0, 1, 2, 31, 32, 33, 97, 2048})
      expect_the_bits_of_the_cpu(random_floats(n * width, static_cast<uint32_t>(n + width)), n, width);
}

// Orders of summation differ by a few parts in 10^16 and show in a float once in 10^8: these elements were
// searched for.
TEST(NormalizeRows, SumsInTheOrderOfTheCpu) {
  struct {
    uint32_t seed;
    float element;  // too small to change the sum
  } const rows[] = {{10, 0x1.ed12eep-40f}, {11, 0x1.38c18cp-40f}, {21, 0x1.41f64ap-40f}};
  for (const auto& [seed, element] : rows) {
    std::vector<float> values = random_floats(2048, seed);
    values.push_back(element);
    double in_turn = 0;
    for (float v : values) in_turn += static_cast<double>(v) * v;
    std::vector<float> expected = values;
    normalize_rows_cpu(expected.data(), 1, 2049);
    ASSERT_NE(expected.back(), static_cast<float>(element / std::sqrt(in_turn))) << "the order does not show";
    expect_the_bits_of_the_cpu(values, 1, 2049);
  }
}

TEST(NormalizeRows, ZeroRowsStayAndNotFiniteOnesAreCounted) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN(),
                  infinity = std::numeric_limits<float>::infinity();
  constexpr int64_t width = 40;
  std::vector<float> values = random_floats(6 * width, 1);
  for (size_t j = 0; j < width; ++j) values[j] = 0;
  values[1 * width + 39] = nan;
  values[3 * width] = -infinity;
  values[5 * width + 33] = infinity;
  expect_the_bits_of_the_cpu(values, 6, width);
}

TEST(NormalizeRows, TheCountMayBeNull) {
  DeviceArray<float> rows(std::vector<float>{3, 4, std::numeric_limits<float>::infinity(), 0});
  normalize_rows(rows.data(), 2, 2, nullptr, nullptr);
  const std::vector<float> got = rows.download();
  EXPECT_EQ(got[0], 0.6f);
  EXPECT_EQ(got[1], 0.8f);
  EXPECT_TRUE(std::isnan(got[2]) && std::isnan(got[3]));
}

TEST(Profile, NormalizeRows) {
  const int64_t rows = 64 * profile_batch();
  expect_the_bits_of_the_cpu(random_floats(rows * 2048, 1), rows, 2048);
}

}  // namespace
}  // namespace tyto::kernels

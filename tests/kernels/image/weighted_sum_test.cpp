#include "kernels/image/weighted_sum_cpu.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

namespace tyto::kernels {
namespace {

TEST(WeightedSum, IsTheSameOnEveryInstructionSet) {
  std::mt19937 random(1);
  std::uniform_int_distribution<int32_t> weight(-(1 << 21), 1 << 21);
  std::vector<std::vector<uint8_t>> rows(3, std::vector<uint8_t>(kWeightedSumBytes + 1));
  std::vector<const uint8_t*> sources;
  for (auto& row : rows) {
    for (uint8_t& v : row) v = static_cast<uint8_t>(random() >> 24);
    sources.push_back(row.data());
  }
  int clamped = 0;
  for (int round = 0; round < 200; ++round) {
    const std::array<int32_t, 3> weights = {weight(random), weight(random), weight(random)};
    for (int count = 0; count <= 3; ++count) {
      std::array<uint8_t, kWeightedSumBytes> few, generic, avx2;
      weighted_sum_few(sources.data(), 1, weights.data(), count, few.data(), kWeightedSumBytes);
      weighted_sum_generic(sources.data(), 1, weights.data(), count, generic.data());
      EXPECT_EQ(few, generic);
      for (const uint8_t v : few) clamped += v == 0 || v == 255;
      if (!__builtin_cpu_supports("avx2")) continue;
      weighted_sum_avx2(sources.data(), 1, weights.data(), count, avx2.data());
      EXPECT_EQ(few, avx2);
    }
  }
  EXPECT_GT(clamped, 1000);  // the test reaches both ends
}

}  // namespace
}  // namespace tyto::kernels

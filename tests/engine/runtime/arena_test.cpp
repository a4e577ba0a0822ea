#include "engine/runtime/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace tyto {
namespace {

int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }

// The most bytes that are alive at one step, counted step by step.
int64_t counted_alive(const std::vector<Lifetime>& values) {
  int64_t most = 0;
  for (int step = 0; step < 1000; ++step) {
    int64_t alive = 0;
    for (const Lifetime& v : values)
      if (v.first <= step && step <= v.last) alive += aligned(v.bytes);
    most = std::max(most, alive);
  }
  return most;
}

void expect_sound(const std::vector<Lifetime>& values) {
  const ArenaPlan plan = plan_arena(values);
  ASSERT_EQ(plan.offsets.size(), values.size());
  EXPECT_EQ(plan.bound, counted_alive(values));
  EXPECT_GE(plan.total, plan.bound);
  for (size_t a = 0; a < values.size(); ++a) {
    const int64_t begin = plan.offsets[a], end = begin + values[a].bytes;
    EXPECT_EQ(begin % 64, 0);
    EXPECT_GE(begin, 0);
    EXPECT_LE(end, plan.total);
    for (size_t b = 0; b < a; ++b) {
      const bool alive_together = values[a].first <= values[b].last && values[b].first <= values[a].last;
      const bool apart = end <= plan.offsets[b] || plan.offsets[b] + values[b].bytes <= begin;
      EXPECT_TRUE(!alive_together || apart) << a << " and " << b;
    }
  }
}

TEST(ArenaPlan, NoTwoValuesThatLiveTogetherOverlap) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<Lifetime> values(random() % 40);
    for (Lifetime& v : values) {
      v.bytes =
          random() % 4 ? static_cast<int64_t>(random() % 2000) : static_cast<int64_t>(random() % 3) * 64;
      v.first = static_cast<int>(random() % 30);
      v.last = v.first + static_cast<int>(random() % (random() % 8 ? 4 : 30));
    }
    expect_sound(values);
  }
}

TEST(ArenaPlan, AChainOfEqualSizesReachesTheBound) {
  std::vector<Lifetime> chain;
  for (int step = 0; step < 20; ++step) chain.push_back({1000, step, step + 1});
  expect_sound(chain);
  EXPECT_EQ(plan_arena(chain).total, 2 * aligned(1000));
}

TEST(ArenaPlan, FillsAGapBetweenLargerValues) {
  // 0 and 2 live throughout; 1 dies and 3 takes its place.
  const std::vector<Lifetime> values = {{512, 0, 9}, {256, 0, 4}, {128, 0, 9}, {256, 5, 9}};
  expect_sound(values);
  EXPECT_EQ(plan_arena(values).total, plan_arena(values).bound);
}

TEST(ArenaPlan, OfNothingIsEmpty) {
  EXPECT_EQ(plan_arena({}).total, 0);
  EXPECT_EQ(plan_arena({{0, 0, 3}}).total, 0);
}

TEST(ArenaPlan, CountsInMoreThan32Bits) {
  const int64_t large = int64_t{3} << 30;
  const std::vector<Lifetime> values = {{large, 0, 1}, {large, 0, 1}, {large, 1, 2}};
  expect_sound(values);
  EXPECT_EQ(plan_arena(values).total, 3 * large);
}

}  // namespace
}  // namespace tyto

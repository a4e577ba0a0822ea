// The cost of single requests, by their addresses.
#include "emulation/instrument/transactions.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace emulation::instrument {
namespace {

constexpr uint32_t kAllLanes = 0xffffffff;

Cost wavefronts_of(const std::function<uintptr_t(int)>& word_of_lane, int bytes,
                   uint32_t active = kAllLanes) {
  uintptr_t addresses[32];
  for (int lane = 0; lane < 32; ++lane) addresses[lane] = 4 * word_of_lane(lane);
  return wavefronts(addresses, active, bytes);
}

void expect_cost(Cost cost, int actual, int ideal) {
  EXPECT_EQ(cost.actual, actual);
  EXPECT_EQ(cost.ideal, ideal);
}

TEST(Sectors, OverlappingAccessesCountOnce) {
  expect_cost(sectors(std::vector<uintptr_t>{0, 24}, 16), 2, 1);    // bytes 0-15 and 24-39
  expect_cost(sectors(std::vector<uintptr_t>{0, 8, 0}, 16), 1, 1);  // bytes 0-23
}

TEST(Sectors, OrderOfLanesIsNoMatter) {
  expect_cost(sectors(std::vector<uintptr_t>{96, 32, 64, 0}, 4), 4, 1);
  expect_cost(sectors(std::vector<uintptr_t>{12, 8, 4, 0}, 4), 1, 1);
}

TEST(Wavefronts, SameWordIsSharedWhicheverLanesAsk) {
  expect_cost(wavefronts_of([](int lane) { return lane % 2; }, 4), 1, 1);
  expect_cost(wavefronts_of([](int lane) { return lane % 2 * 32; }, 4), 2, 1);
}

TEST(Wavefronts, WideAccessesGoByPartsOfTheWarp) {
  expect_cost(wavefronts_of([](int lane) { return 2 * lane; }, 8), 2, 2);
  expect_cost(wavefronts_of([](int lane) { return 4 * lane; }, 16), 4, 4);
  expect_cost(wavefronts_of([](int lane) { return 4 * lane; }, 8), 4, 2);
  expect_cost(wavefronts_of([](int lane) { return 4 * lane; }, 16, 0xff), 1, 1);  // one quarter
}

}  // namespace
}  // namespace emulation::instrument

#include "apps/images/size_groups.h"

#include <gtest/gtest.h>

namespace tyto::apps {
namespace {

using Batches = std::vector<std::vector<int64_t>>;

constexpr NetworkSize kA = {4, 6}, kB = {6, 4}, kC = {5, 5};

Batches all_ready(SizeGroups& groups) {
  Batches batches;
  while (auto batch = groups.next()) batches.push_back(std::move(*batch));
  return batches;
}

TEST(SizeGroups, MakesABatchOfAsManyOfOneSizeAsItHas) {
  SizeGroups groups(2, 1000);
  groups.add(0, kA, 10);
  groups.add(3, kB, 10);
  EXPECT_EQ(all_ready(groups), Batches{});
  groups.add(4, kA, 10);
  EXPECT_EQ(all_ready(groups), (Batches{{0, 4}}));
  groups.add(5, kB, 10);
  groups.add(6, kA, 10);
  EXPECT_EQ(all_ready(groups), (Batches{{3, 5}}));
}

TEST(SizeGroups, AtTheEndGoAloneWhatWaitsTheGroupOfTheOldestFirst) {
  SizeGroups groups(3, 1000);
  groups.add(0, kB, 10);
  groups.add(1, kA, 10);
  groups.add(2, kC, 10);
  groups.add(3, kB, 10);
  groups.add(4, kA, 10);
  groups.finish();
  EXPECT_EQ(all_ready(groups), (Batches{{0}, {3}, {1}, {4}, {2}}));
}

// Images that have gone count, too: their results wait for the oldest's.
TEST(SizeGroups, TheGroupThatTooMuchHasOvertakenGoesAlone) {
  SizeGroups groups(2, 50);
  groups.add(0, kA, 10);
  for (int64_t i = 1; i < 5; ++i) groups.add(i, kB, 10);
  EXPECT_EQ(all_ready(groups), (Batches{{1, 2}, {3, 4}}));  // 50 bytes
  groups.add(5, kB, 1);
  EXPECT_EQ(all_ready(groups), (Batches{{0}}));
  groups.add(6, kA, 50);  // what waits longest now is 5, 51 bytes ago
  EXPECT_EQ(all_ready(groups), (Batches{{5}}));
  groups.add(7, kC, 51);  // more than a window itself
  EXPECT_EQ(all_ready(groups), (Batches{{6}, {7}}));
}

TEST(SizeGroups, ABatchThatIsFullGoesTogetherThoughTheWindowIsPassed) {
  SizeGroups groups(2, 50);
  groups.add(0, kA, 40);
  groups.add(1, kA, 40);
  EXPECT_EQ(all_ready(groups), (Batches{{0, 1}}));
}

TEST(SizeGroups, BatchesOfOneWaitForNothing) {
  SizeGroups groups(1, 1000);
  groups.add(0, kA, 10);
  groups.add(1, kB, 10);
  EXPECT_EQ(all_ready(groups), (Batches{{0}, {1}}));
}

}  // namespace
}  // namespace tyto::apps

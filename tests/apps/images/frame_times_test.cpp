#include "apps/images/frame_times.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace tyto::apps {
namespace {

constexpr TimeBase kMilliseconds = {1, 1000};
constexpr std::optional<int64_t> kNone;

// The times of frames with these stamps, and the end after them.
std::vector<int64_t> times(const std::vector<std::optional<int64_t>>& stamps, int64_t duration = 0,
                           double longest_gap = 10) {
  FrameTimes frame_times(kMilliseconds, 20, longest_gap);
  std::vector<int64_t> times;
  for (const auto& stamp : stamps) times.push_back(frame_times.next(stamp, duration));
  times.push_back(frame_times.end());
  return times;
}

using testing::ElementsAre;

TEST(FrameTimes, AreTheStampsFromZeroOn) {
  EXPECT_THAT(times({1400, 1440, 1900, 1901}), ElementsAre(0, 40, 500, 501, 502));
  EXPECT_THAT(times({-7, 33}, 40), ElementsAre(0, 40, 80));
  EXPECT_THAT(times({}), ElementsAre(0));
}

TEST(FrameTimes, LastFrameIsShownAsLongAsTheFileSays) {
  EXPECT_THAT(times({0, 40}, 500), ElementsAre(0, 40, 540));
  EXPECT_THAT(times({0, 40}, 30), ElementsAre(0, 40, 70));
  EXPECT_THAT(times({0, 40, 100}, 1), ElementsAre(0, 40, 100, 140));  // of a header of 1000 frames a second
}

TEST(FrameTimes, GoOnWhereStampsAreLacking) {
  EXPECT_THAT(times({kNone, kNone, kNone}), ElementsAre(0, 50, 100, 150));  // 20 frames a second
  EXPECT_THAT(times({0, 30, kNone, 90}), ElementsAre(0, 30, 60, 90, 120));
  EXPECT_THAT(times({kNone, 5000, 5040}), ElementsAre(0, 50, 90, 130));
}

TEST(FrameTimes, GoOnWhereTheClockJumps) {
  EXPECT_THAT(times({0, 40, 80, 0, 40, 80}), ElementsAre(0, 40, 80, 120, 160, 200, 240));  // clips joined
  EXPECT_THAT(times({0, 40, 40, 80}), ElementsAre(0, 40, 80, 120, 160));
  EXPECT_THAT(times({0, 40, 20'000, 20'040}), ElementsAre(0, 40, 80, 120, 160));
  EXPECT_THAT(times({0, 40, 20'000, 20'040}, 0, 60), ElementsAre(0, 40, 20'000, 20'040, 20'080));
}

TEST(FrameTimes, RiseWhateverTheFileSays) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min(), kMax = std::numeric_limits<int64_t>::max();
  const std::vector<int64_t> found =
      times({kMax, kMin, 2'000'000'000'000'000'000, 0, kMax / 5, -kMax / 5, 9}, kMax);
  for (size_t i = 1; i < found.size(); ++i) EXPECT_GT(found[i], found[i - 1]);
}

}  // namespace
}  // namespace tyto::apps

#include "engine/metrics/reid/average_precision.h"

#include <gtest/gtest.h>

#include <vector>

namespace {

using namespace tyto;

const std::vector<int64_t> kHits = {0, 1, 3, 6};  // ranks 1, 2, 4, 7

TEST(Metrics, AveragePrecisionIsTheReferencesForRanks1247) {
  EXPECT_NEAR(average_precision_trapezoid(kHits.data(), 4), 0.81101, 5e-6);
  EXPECT_NEAR(average_precision_plain(kHits.data(), 4), 0.83036, 5e-6);
}

TEST(Metrics, InverseNegativePenaltyIsHitsOverTheLastRank) {
  EXPECT_EQ(inverse_negative_penalty(kHits.data(), 4), 4.0 / 7);
}

TEST(Metrics, APerfectRankingIsWorth1AndAnEmptyOne0) {
  const std::vector<int64_t> perfect = {0, 1, 2};
  for (const auto metric : {average_precision_plain, average_precision_trapezoid, inverse_negative_penalty}) {
    EXPECT_EQ(metric(perfect.data(), 3), 1.0);
    EXPECT_EQ(metric(nullptr, 0), 0.0);
  }
}

}  // namespace

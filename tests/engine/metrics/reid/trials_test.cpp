#include "engine/metrics/reid/trials.h"

#include <gtest/gtest.h>

#include <cmath>

namespace {

using namespace tyto;

Evaluation trial(const std::vector<double>& cmc, double map, double minp) {
  Evaluation e;
  e.protocol = protocol("sysu");
  e.queries = 10;
  e.valid_queries = 10 - static_cast<int64_t>(cmc.size());
  e.gallery = static_cast<int64_t>(cmc.size());
  e.cmc = cmc;
  e.map = map;
  e.minp = minp;
  return e;
}

TEST(Trials, MeanIsOverTheTrialsAndAShorterCurveKeepsItsLastValue) {
  const Evaluation mean = mean_of(std::vector{trial({0.25, 0.5}, 0.5, 0), trial({0.75, 1, 1}, 0.25, 0.5)});
  EXPECT_EQ(mean.cmc, (std::vector{0.5, 0.75, 0.75}));
  EXPECT_EQ(mean.map, 0.375);
  EXPECT_EQ(mean.minp, 0.25);
  EXPECT_EQ(mean.gallery, 3);
  EXPECT_EQ(mean.valid_queries, 8);
  EXPECT_EQ(mean.protocol.name, "sysu");
}

TEST(Trials, SpreadIsTheSamplesDeviationAndItsEnds) {
  const std::vector trials = {trial({}, 0.5, 0), trial({}, 0.25, 0), trial({}, 0.75, 0)};
  const Spread spread = spread_of(trials, [](const Evaluation& e) { return e.map; });
  EXPECT_DOUBLE_EQ(spread.mean, 0.5);
  EXPECT_DOUBLE_EQ(spread.deviation, 0.25);
  EXPECT_EQ(spread.min, 0.25);
  EXPECT_EQ(spread.max, 0.75);
}

TEST(Trials, EqualTrialsHaveNoSpreadWhateverTheRounding) {
  for (const size_t n : {1, 3, 10, 49}) {
    const std::vector trials(n, trial({}, 0.1, 0));
    const Spread spread = spread_of(trials, [](const Evaluation& e) { return e.map; });
    EXPECT_EQ(spread.mean, 0.1);
    EXPECT_EQ(spread.deviation, 0);
  }
}

}  // namespace

#include "engine/metrics/reid/hits.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <set>
#include <vector>

#include "engine/metrics/reid/judge.h"
#include "engine/metrics/reid/rank.h"

namespace {

using namespace tyto;

struct Case {
  std::vector<float> scores;
  std::vector<Judgement> judgement;
  std::vector<int64_t> ids;
};

Case random_case(int n, unsigned seed, int kinds) {
  std::mt19937 random(seed);
  Case c;
  for (int i = 0; i < n; ++i) {
    const float score = static_cast<float>(random() % 9) / 8;
    c.scores.push_back(random() % 7 == 0 ? std::numeric_limits<float>::quiet_NaN() : score);
    c.judgement.push_back(static_cast<Judgement>(random() % kinds));
    c.ids.push_back(c.judgement.back() == Judgement::Positive ? 42 : static_cast<int64_t>(random() % 6) - 1);
  }
  return c;
}

// The same by sorting: positions of the hits, and the identities before the first one.
std::pair<std::vector<int64_t>, int64_t> by_sorting(const Case& c) {
  std::vector<int32_t> order(c.scores.size());
  rank_all(c.scores.data(), static_cast<int64_t>(order.size()), order.data());
  std::vector<int64_t> positions;
  std::set<int64_t> identities;
  int64_t position = 0, ahead = -1;
  for (const int32_t i : order) {
    if (c.judgement[i] == Judgement::Junk) continue;
    if (c.judgement[i] == Judgement::Positive) {
      if (positions.empty()) ahead = static_cast<int64_t>(identities.size());
      positions.push_back(position);
    }
    identities.insert(c.ids[i]);
    ++position;
  }
  return {positions, ahead};
}

TEST(Hits, StandWhereSortingPutsThem) {
  for (const int n : {0, 1, 2, 31, 200, 997})
    for (unsigned seed = 0; seed < 8; ++seed) {
      const Case c = random_case(n, seed, seed % 4 == 0 ? 1 : 3);  // kinds = 1: everything is Wrong
      const auto [expected, ahead] = by_sorting(c);
      std::vector<int64_t> positions(c.scores.size(), -1);
      const int64_t hits = hit_positions(c.scores.data(), c.judgement.data(), n, positions.data());
      positions.resize(static_cast<size_t>(hits));
      EXPECT_EQ(positions, expected) << n << " images, seed " << seed;
      EXPECT_EQ(identities_ahead(c.scores.data(), c.judgement.data(), c.ids.data(), n), ahead)
          << n << " images, seed " << seed;
    }
}

std::vector<Judgement> judge(int64_t id, int64_t camera, CameraRule rule) {
  const std::vector<int64_t> ids = {7, 7, 8, -1, 7}, cameras = {1, 2, 2, 1, -1};
  std::vector<Judgement> out(ids.size());
  judge(id, camera, ids.data(), cameras.data(), 5, rule, out.data());
  return out;
}

constexpr auto G = Judgement::Positive, W = Judgement::Negative, J = Judgement::Junk;

TEST(Judge, BaselineDropsJunkAndTheSameIdentityOfTheSameCamera) {
  EXPECT_EQ(judge(7, 1, CameraRule::Baseline), (std::vector{J, G, W, J, G}));
  EXPECT_EQ(judge(9, 1, CameraRule::Baseline), (std::vector{W, W, W, J, W}));
}

TEST(Judge, AnUnknownCameraIsNoOthersAndAnUnknownIdentityMatchesNone) {
  EXPECT_EQ(judge(7, -1, CameraRule::Baseline), (std::vector{G, G, W, J, G}));
  EXPECT_EQ(judge(-1, 1, CameraRule::None), (std::vector{W, W, W, W, W}));
}

TEST(Judge, SysuCamera3SkipsCamera2WhateverTheIdentity) {
  EXPECT_EQ(judge(7, 3, CameraRule::Sysu), (std::vector{G, J, J, W, G}));
  EXPECT_EQ(judge(7, 6, CameraRule::Sysu), (std::vector{G, G, W, W, G}));
}

}  // namespace

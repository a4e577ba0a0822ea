#include "engine/metrics/reid/gallery_draws.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/metrics/reid/python_random.h"

namespace {

using namespace tyto;
using Rows = std::vector<int64_t>;

const Rows kIds = {9, 7, 7, 9, 7, 9, 9, 7}, kCameras = {1, 5, 1, 4, 1, 1, 3, 2};

std::vector<ImageGroup> groups_of(const Rows& cameras) { return group_images({kIds, kCameras}, cameras); }

TEST(GalleryDraws, GroupsAreOrderedByIdentityAndThenByTheListOfCameras) {
  const auto groups = groups_of({5, 1, 4});
  const std::vector<std::pair<std::pair<int64_t, int64_t>, Rows>> expected = {
      {{7, 5}, {1}}, {{7, 1}, {2, 4}}, {{9, 1}, {0, 5}}, {{9, 4}, {3}}};
  ASSERT_EQ(groups.size(), expected.size());
  for (size_t i = 0; i < groups.size(); ++i) {
    EXPECT_EQ(std::pair(groups[i].id, groups[i].camera), expected[i].first);
    EXPECT_EQ(groups[i].rows, expected[i].second);
  }
}

TEST(GalleryDraws, OneShotIsAChoiceInEveryGroupEvenWhereThereIsNone) {
  const auto groups = groups_of({5, 1, 4});
  for (uint32_t trial = 0; trial < 10; ++trial) {
    PythonRandom random(trial);
    Rows expected;
    for (const ImageGroup& group : groups)  // a choice of one takes numbers from the generator, too
      expected.push_back(
          group.rows[static_cast<size_t>(random.choice(static_cast<int64_t>(group.rows.size())))]);
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(draw_gallery(groups, 1, trial), expected);
  }
}

TEST(GalleryDraws, MoreShotsThanImagesTakeAllOfThem) {
  EXPECT_EQ(draw_gallery(groups_of({1, 2}), 10, 0), (Rows{0, 2, 4, 5, 7}));
}

Permutations permutations() {
  return {"orders.mat", 2, {{{1, 7}, {{1, 0}, {0, 1}}}, {{1, 9}, {{1, 0}, {1, 0}}}}};
}

TEST(GalleryDraws, PermutationsGiveTheirFirstImages) {
  const auto groups = groups_of({1});
  EXPECT_EQ(draw_gallery(groups, 1, 0, permutations()), (Rows{4, 5}));
  EXPECT_EQ(draw_gallery(groups, 1, 1, permutations()), (Rows{2, 5}));
  EXPECT_EQ(draw_gallery(groups, 3, 1, permutations()), (Rows{0, 2, 4, 5}));
}

TEST(GalleryDraws, PermutationsOfAnotherNumberOfImagesAreRefused) {
  for (const Rows& cameras :
       {Rows{1, 2}, Rows{1, 4}}) {  // camera 2 saw 7, camera 4 saw 9: neither is in the file
    try {
      draw_gallery(groups_of(cameras), 1, 0, permutations());
      FAIL() << "was accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::Format);
      EXPECT_NE(std::string(e.what()).find("orders.mat orders 0 images of identity"), std::string::npos)
          << e.what();
    }
  }
}

}  // namespace

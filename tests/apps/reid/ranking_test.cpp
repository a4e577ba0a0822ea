#include "apps/reid/ranking.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "apps/reid/open_features.h"
#include "apps/reid/sample_features.h"

namespace {

using namespace tyto;
using namespace tyto::apps;

// One query (1, 0) and gallery rows (score, 0), whose scores are thus as given.
FeatureSet one_query(int64_t id, int64_t camera) {
  FeatureSet set;
  set.root = "q";
  set.paths = {"query.jpg"};
  set.ids = {id};
  set.cameras = {camera};
  set.features = {Tensor::of<float>({1, 2}, std::vector<float>{1, 0})};
  return set;
}

FeatureSet gallery_of(const std::vector<float>& scores, std::vector<int64_t> ids,
                      std::vector<int64_t> cameras) {
  FeatureSet set;
  set.root = "g";
  std::vector<float> values;
  for (size_t i = 0; i < scores.size(); ++i) {
    set.paths.push_back(std::to_string(i) + ".jpg");
    values.push_back(scores[i]);
    values.push_back(0);
  }
  set.ids = std::move(ids);
  set.cameras = std::move(cameras);
  set.features = {Tensor::of<float>({set.rows(), 2}, values)};
  return set;
}

std::vector<int64_t> rows_of(const Ranking& ranking) {
  std::vector<int64_t> rows;
  for (const Ranked& image : ranking.images) rows.push_back(image.row);
  return rows;
}

const float kNaN = std::numeric_limits<float>::quiet_NaN();

TEST(RankGallery, LeavesJunkOutAndOrdersTiesByRow) {
  const FeatureSet gallery =
      gallery_of({.5f, .9f, .9f, .7f, .8f, kNaN}, {1, 1, 2, 1, -1, 3}, {2, 1, 1, 2, 1, 1});
  const FeatureSet query = one_query(1, 1);
  EXPECT_EQ(rows_of(rank_gallery(query, gallery, 10, CameraRule::Baseline)[0]),
            (std::vector<int64_t>{2, 3, 0, 5}));
  EXPECT_EQ(rows_of(rank_gallery(query, gallery, 10, CameraRule::None)[0]),
            (std::vector<int64_t>{1, 2, 4, 3, 0, 5}));
  EXPECT_EQ(rows_of(rank_gallery(query, gallery, 2, CameraRule::None)[0]), (std::vector<int64_t>{1, 2}));
}

TEST(RankGallery, AQueryDoesNotFindItsOwnFile) {
  FeatureSet gallery = gallery_of({1, .5f}, {-1, -1}, {-1, -1});
  gallery.root = "photos/";
  gallery.paths = {"x/../query.jpg", "other.jpg"};
  FeatureSet query = one_query(-1, -1);
  query.root = "./photos";
  EXPECT_EQ(rows_of(rank_gallery(query, gallery, 10, CameraRule::None)[0]), (std::vector<int64_t>{1}));
}

TEST(RankGallery, CorrectIsKnownOnlyWhereBothIdentitiesAre) {
  const FeatureSet gallery = gallery_of({.9f, .8f, .7f}, {1, 2, -1}, {2, 2, 2});
  const Ranking known = rank_gallery(one_query(1, 1), gallery, 3, CameraRule::None)[0];
  EXPECT_EQ(known.images[0].correct, std::optional(true));
  EXPECT_EQ(known.images[1].correct, std::optional(false));
  EXPECT_EQ(known.images[2].correct, std::nullopt);
  const Ranking unknown = rank_gallery(one_query(-1, 1), gallery, 3, CameraRule::None)[0];
  for (const Ranked& image : unknown.images) EXPECT_EQ(image.correct, std::nullopt);
}

TEST(JsonLine, IsJsonWithScoresThatReadBackAsTheSameFloat) {
  FeatureSet gallery = gallery_of({0.1f, 1.0f / 3, kNaN}, {1, 2, 3}, {2, 2, 2});
  gallery.paths[1] = "\"quoted\"\n\\.jpg";
  const FeatureSet query = one_query(2, 1);
  const std::string line = json_line(rank_gallery(query, gallery, 3, CameraRule::None)[0], query, gallery);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto j = nlohmann::json::parse(line);
  EXPECT_EQ(j["query"], "query.jpg");
  EXPECT_EQ(j["id"], 2);
  EXPECT_EQ(j["camera"], 1);
  ASSERT_EQ(j["ranking"].size(), 3u);
  const auto& first = j["ranking"][0];
  EXPECT_EQ(first["rank"], 1);
  EXPECT_EQ(first["path"], gallery.paths[1]);
  EXPECT_EQ(first["score"].get<float>(), 1.0f / 3);
  EXPECT_EQ(first["correct"], true);
  EXPECT_EQ(j["ranking"][1]["score"].get<float>(), 0.1f);
  EXPECT_EQ(j["ranking"][1]["correct"], false);
  EXPECT_TRUE(j["ranking"][2]["score"].is_null());
}

TEST(JsonLine, AnEmptyRankingIsAnEmptyList) {
  const FeatureSet query = one_query(1, 1), gallery = gallery_of({1}, {1}, {1});
  const std::string line =
      json_line(rank_gallery(query, gallery, 3, CameraRule::Baseline)[0], query, gallery);
  EXPECT_EQ(nlohmann::json::parse(line)["ranking"].size(), 0u);
}

TEST(OpenFeatures, WantsQueriesAndAGalleryOfOneWidth) {
  const TestFolder folder;
  const auto refusal = [&](const Features& f) -> std::string {
    write_features(folder / "f", f);
    try {
      open_features({(folder / "f").string()});
    } catch (const Error& e) {
      return e.what();
    }
    return {};
  };
  EXPECT_EQ(refusal(sample_features()), "");
  EXPECT_NE(refusal(sample_features(0, 5)).find("no query images"), std::string::npos);
  Features uneven = sample_features();
  uneven.sets[SetKind::Gallery] = sample_set("g", 5, 9);
  EXPECT_NE(refusal(uneven).find("gallery features 9"), std::string::npos);
  Features lone = sample_features();
  lone.sets.erase(SetKind::Gallery);
  EXPECT_NE(refusal(lone).find("no gallery features"), std::string::npos);
}

TEST(BrokenRows, AreThoseWithANaNOrAnInfinity) {
  const float infinity = std::numeric_limits<float>::infinity();
  const Tensor t = Tensor::of<float>({4, 2}, std::vector<float>{1, 2, kNaN, 0, 0, 0, 1, -infinity});
  EXPECT_EQ(broken_rows(t), (std::vector<int64_t>{1, 3}));
}

}  // namespace

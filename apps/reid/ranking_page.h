// The overview page of a ranking: one HTML file beside the folder of its pictures, which opens from disk in
// any browser.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "apps/reid/ranking.h"
#include "apps/reid/ranking_picture.h"

namespace tyto::apps {

struct RankingEntry {
  Ranking ranking;
  std::string picture;  // relative to the page: "pictures/0001.jpg"; empty: no picture was made
  int width = 0, height = 0;
  std::vector<cv::Rect> images;  // as in RankingPicture
};

struct RankingPage {
  std::string model, network, dataset;
  std::string feature;  // which of several feature vectors is scored, "fc"; empty: there is but one
  std::string rule;     // the camera rule, in words
  std::vector<RankingEntry> entries;
};

// The page lists all queries, with a box to filter by path, orders to choose from and pictures loaded as they
// come into view. Every name is data to it, never markup.
std::string ranking_page(const RankingPage& page, const FeatureSet& queries, const FeatureSet& gallery);

}  // namespace tyto::apps
